"""The question before something is deleted: how much goes with it, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from authconfig.bounded_counts import bounded_count

# What the question shows of many chosen rows.
SHOWN_ROWS = 20


@dataclass(frozen=True)
class GoesAlong:
    """A kind of rows that is deleted with the chosen ones, or loses by it."""

    label: str | Promise
    rows: Callable[[Sequence[Any]], QuerySet[Any]]


class TellsWhatGoes:
    """Counts what matters to people, and no table to its end.

    Django lists every row of every table by the code's names, and reads all of them.
    """

    goes_along: ClassVar[tuple[GoesAlong, ...]] = ()

    def delete_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        page: HttpResponse = super().delete_view(request, object_id, extra_context)  # type: ignore[misc]
        if isinstance(page, TemplateResponse) and page.context_data:
            question = _("Delete %(name)s?")
            page.context_data["title"] = question % {
                "name": page.context_data["object"]
            }
        return page

    def get_deleted_objects(
        self, objs: Iterable[Model], request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[Any], list[Any]]:
        chosen = list(objs)
        kind = self.opts.verbose_name_plural  # type: ignore[attr-defined]
        counts = {str(kind): len(chosen)}
        for each in self.goes_along:
            if count := bounded_count(each.rows(chosen)):
                counts[str(each.label)] = count
        may_all = all(self.has_delete_permission(request, row) for row in chosen)  # type: ignore[attr-defined]
        missing = set() if may_all else {self.opts.verbose_name}  # type: ignore[attr-defined]
        return _shown(chosen), counts, missing, []


def _shown(chosen: Sequence[Model]) -> list[str]:
    names = [str(row) for row in chosen[:SHOWN_ROWS]]
    if more := len(chosen) - len(names):
        text = ngettext("and %(n)s more", "and %(n)s more", more)
        names.append(text % {"n": more})
    return names
