"""What the page of a run shows, and its file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, Manager, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from authconfig.sync.choices import Change, Reason, RunState, Source, Stop
from authconfig.sync.models import SyncItem, SyncRun
from authconfig.sync.words import trouble
from authconfig.users.csv_file import escape
from pbxsite.administration.directory_runs.state import SCIM_PAGE, SYNC_PAGE
from pbxsite.administration.entry.export import BYTE_ORDER_MARK
from pbxsite.administration.kept_words import changes_in_words

ROWS = 50
# A worker that runs takes a run up at once.
UNTAKEN = timedelta(seconds=20)
PAGES = {Source.DIRECTORY: SYNC_PAGE, Source.SCIM: SCIM_PAGE}
COLUMNS = ("change", "name", "detail", "reason")
HEADS: dict[Change, Promise] = {
    Change.ADDED: gettext_lazy("Added"),
    Change.CHANGED: gettext_lazy("Changed"),
    Change.RENAMED: gettext_lazy("Renamed"),
    Change.DEACTIVATED: gettext_lazy("Deactivated"),
    Change.REACTIVATED: gettext_lazy("Reactivated"),
    Change.REFUSED: gettext_lazy("Refused"),
}
# What a run leaves as it is, since it would be too many.
KEPT = gettext_lazy("Not deactivated")


@dataclass(frozen=True)
class Tally:
    change: str
    head: str | Promise
    count: int
    is_chosen: bool


@dataclass(frozen=True)
class Row:
    """`note` says why, or what is special about it."""

    name: str
    head: str | Promise
    detail: str
    note: str | Promise


def context(request: HttpRequest, run: SyncRun) -> dict[str, Any]:
    change, words = request.GET.get("change", ""), request.GET.get("q", "").strip()
    chosen = change if change in Change.values else ""
    page = Paginator(_chosen(run, chosen, words), ROWS).get_page(
        request.GET.get("page")
    )
    return {
        "run": run,
        "all_runs": PAGES[Source(run.source)],
        "is_bad": run.state in (RunState.STOPPED, RunState.FAILED),
        "verdict": verdict(run),
        "note": _note(run),
        "tallies": list(tallies(run.items, chosen)),
        "change": chosen,
        "q": words,
        "page": page,
        "rows": [_row(run, item) for item in page],
        "query": request.GET.urlencode(),
        "may_confirm": may_confirm(run),
        "may_confirm_removals": bool(run.kept) and may_confirm(run),
        "may_confirm_fields": run.field_stops.exists() and may_confirm(run),
    }


def verdict(run: SyncRun) -> str:
    """Say in a sentence how far the run is, or how it ended."""
    if not run.is_over:
        return _under_way(run)
    if words := trouble(run):
        return words
    if run.is_preview:
        return _("This is what a run would do. Nothing was changed.")
    if run.source == Source.SCIM:
        return _("The users are as the provider has them.")
    return _("The users are as the directory has them.")


def _under_way(run: SyncRun) -> str:
    if run.state == RunState.RUNNING:
        return _("%(phase)s …") % {"phase": run.get_phase_display() or _("It begins")}
    if run.made_at < timezone.now() - UNTAKEN:
        return _(
            "No worker has taken it up yet. Either another run goes on, or no worker"
            " runs: the page “E-mail queue” shows them."
        )
    return _("It waits for a worker.")


def _note(run: SyncRun) -> str:
    if run.is_preview and run.stop == Stop.TOO_MANY:
        return _("A run would add and change the others, and deactivate nobody.")
    if run.is_preview and run.stop == Stop.FIELDS:
        return _("A run would do all else.")
    if run.state == RunState.STOPPED and not run.is_preview:
        return _("All else was done.")
    return ""


def may_confirm(run: SyncRun) -> bool:
    """Is this the newest word of the directory, with something to confirm?"""
    if run.state not in (RunState.DONE, RunState.STOPPED):
        return False
    newer = SyncRun.objects.filter(source=run.source, pk__gt=run.pk, is_preview=False)
    if newer.exclude(state=RunState.FAILED).exists():
        return False
    return run.is_preview or run.stop != ""


def tallies(
    items: Manager[SyncItem] | QuerySet[SyncItem], chosen: str = ""
) -> Iterator[Tally]:
    counted = items.order_by().values_list("change").annotate(Count("pk"))
    counts = dict(counted)
    kept = items.filter(change=Change.DEACTIVATED, is_kept=True)
    heads = HEADS | ({Change.DEACTIVATED: KEPT} if kept.exists() else {})
    for change, head in heads.items():
        count = counts.get(change.value, 0)
        yield Tally(change.value, head, count, change.value == chosen)


def _chosen(run: SyncRun, change: str, words: str) -> QuerySet[SyncItem]:
    items = run.items.order_by("pk")
    items = items.filter(change=change) if change else items
    return items.filter(name__icontains=words) if words else items


def _row(run: SyncRun, item: SyncItem) -> Row:
    change = Change(item.change)
    is_kept = item.is_kept and change == Change.DEACTIVATED
    head = KEPT if is_kept else HEADS[change]
    # A new user's facts are values alone.
    is_new = change == Change.ADDED
    detail = item.detail if is_new else changes_in_words(item.detail)
    return Row(item.name or item.identity, head, detail, _note_of(run, item))


def _note_of(run: SyncRun, item: SyncItem) -> str | Promise:
    if item.reason:
        return Reason(item.reason).label
    if item.is_kept:
        return _("Kept: too many at once. You can confirm it above.")
    if item.is_linked and run.is_preview:
        return _("This PBX user becomes one with the entry.")
    return _("Now one with the entry.") if item.is_linked else ""


def as_csv(run: SyncRun, change: str, words: str) -> str:
    chosen = change if change in Change.values else ""
    file = io.StringIO()
    file.write(BYTE_ORDER_MARK)
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for item in _chosen(run, chosen, words).iterator():
        note = str(_note_of(run, item))
        cells = (item.change, item.name or item.identity, item.detail, note)
        writer.writerow(escape(cell) for cell in cells)
    return file.getvalue()
