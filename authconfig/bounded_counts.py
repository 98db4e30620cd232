"""Counting tables that grow for years: exact up to a bound, and no further."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.translation import gettext

# Of more nobody reads the number, and PostgreSQL would read every row for it.
MOST_COUNTED = 2_000


class MoreThan(int):
    """A count that ended at its bound, and says so where it is shown."""

    def __str__(self) -> str:
        number = number_format(int(self), force_grouping=True)
        return gettext("more than %(number)s") % {"number": number}


def bounded_count(rows: QuerySet[Any]) -> int:
    count = rows.order_by()[: MOST_COUNTED + 1].count()
    return MoreThan(MOST_COUNTED) if count > MOST_COUNTED else count


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # generic in the stubs
    """The pages up to the bound; to what lies behind, search and filters lead."""

    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        return bounded_count(self.object_list)
