"""Counting tables that grow for years: exactly up to a bound, and no further."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.translation import gettext

# Nobody reads a larger number, and PostgreSQL would read every row to find it.
MOST_COUNTED = 2_000


class MoreThan(int):
    """A count that stopped at its bound; where it is shown, it says so."""

    def __str__(self) -> str:
        number = number_format(int(self), force_grouping=True)
        return gettext("more than %(number)s") % {"number": number}


def bounded_count(rows: QuerySet[Any]) -> int:
    count = rows.order_by()[: MOST_COUNTED + 1].count()
    return MoreThan(MOST_COUNTED) if count > MOST_COUNTED else count


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # generic in the stubs
    """Pages up to the bound; search and filters lead to the rows behind it."""

    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        return bounded_count(self.object_list)
