"""The pages that begin runs of the synchronisation and show what they did."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django.views.decorators.http import require_http_methods, require_safe

from authconfig.models import AuthenticationSettings, current_rules
from authconfig.sync import runs
from authconfig.sync.choices import Source, Trigger
from authconfig.sync.models import SyncFieldStop, SyncRun
from authconfig.sync.tasks import sync_directory
from authconfig.sync.words import label_of
from authconfig.users.models import PbxUser
from pbxsite.administration.directory_runs import report
from pbxsite.administration.directory_runs.state import SYNC_PAGE
from verification.redis_access import wake_worker
from verification.sessions.reauthentication import reauthentication_required

RUN = f"{SYNC_PAGE}_run"
FOLDER = "admin/directory_runs"
LAST = 20
# In the query: what of that which a stop keeps is confirmed.
REMOVALS, FIELDS = "removals", "fields"


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    rules = current_rules()
    context = {
        "title": _("Users from the directory"),
        "last": last_runs(Source.DIRECTORY),
        "rules": rules,
        "is_set": bool(rules.netlogon_domain and rules.netlogon_bind_dn),
    }
    return page(request, "overview", context)


def last_runs(source: Source) -> list[tuple[SyncRun, str]]:
    runs_of = SyncRun.objects.filter(source=source).select_related("actor")
    runs_of = runs_of.prefetch_related("field_stops")
    return [(run, report.verdict(run)) for run in runs_of.order_by("-made_at")[:LAST]]


@require_http_methods(["GET", "POST"])
@reauthentication_required
def begin(request: HttpRequest) -> HttpResponse:
    return begin_asked(request, Source.DIRECTORY)


def begin_asked(request: HttpRequest, source: Source) -> HttpResponse:
    if request.method != "POST":
        # An administrator who logged in again instead lost what they asked for.
        messages.info(request, _("Nothing was begun. Please press the button again."))
        return redirect(report.PAGES[source])
    is_preview = request.POST.get("what") == "preview"
    return begin_run(request, source, is_preview=is_preview)


@require_safe
def show(request: HttpRequest, public_id: UUID) -> HttpResponse:
    run = get_object_or_404(SyncRun, public_id=public_id)
    title = _("Preview of the users") if run.is_preview else pgettext("a run", "Run")
    return page(request, "run", report.context(request, run) | {"title": title})


@require_safe
def live(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Send the changing part alone, which the page's script asks for repeatedly."""
    run = get_object_or_404(SyncRun, public_id=public_id)
    return TemplateResponse(
        request, f"{FOLDER}/live.html", report.context(request, run)
    )


@require_safe
def download(request: HttpRequest, public_id: UUID) -> HttpResponse:
    run = get_object_or_404(SyncRun, public_id=public_id)
    text = report.as_csv(run, request.GET.get("change", ""), request.GET.get("q", ""))
    headers = {"Content-Disposition": 'attachment; filename="users-from-directory.csv"'}
    return HttpResponse(text, "text/csv; charset=utf-8", headers=headers)


@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def confirm(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Ask before a preview is carried out, or a stop is overruled."""
    run = get_object_or_404(SyncRun, public_id=public_id)
    if not report.may_confirm(run):
        text = _("Meanwhile there is a newer run. Look at that, or at a new preview.")
        messages.error(request, text)
        return redirect(report.PAGES[Source(run.source)])
    allowed = run.kept if REMOVALS in request.GET else None
    with_fields = FIELDS in request.GET
    if request.method == "POST":
        return begin_run(
            request,
            Source(run.source),
            preview=run,
            allowed_removals=allowed,
            allows_fields=with_fields,
        )
    # What overrules a stop is red.
    button = "way" if allowed is None and not with_fields else "yes"
    context = {
        "title": _("Change the users now?"),
        "rows": list(_rows(run, allowed, with_fields=with_fields)),
        button: _("Change them now"),
        "back_url": "../",
    }
    return page(request, "", context)


def _rows(run: SyncRun, allowed: int | None, *, with_fields: bool) -> Iterator[str]:
    """Say what a run would do; what the run has done already is no part of it."""
    if run.is_preview:
        tallies = report.tallies(run.items.filter(is_kept=False))
        yield from (
            f"{tally.head}: {intcomma(tally.count)}" for tally in tallies if tally.count
        )
        if linked := run.items.filter(is_linked=True).count():
            yield _linked(linked)
    if run.kept:
        yield _removed(run, allowed)
    for stop in run.field_stops.all():
        yield _changed(stop) if with_fields else _stays(stop)


def _changed(stop: SyncFieldStop) -> str:
    words = {"field": label_of(stop), "n": stop.kept}
    if stop.is_emptied:
        return (
            ngettext(
                "%(field)s: emptied for %(n)d user.",
                "%(field)s: emptied for %(n)d users.",
                stop.kept,
            )
            % words
        )
    return (
        ngettext(
            "%(field)s: changed for %(n)d user, who is told at the old address.",
            "%(field)s: changed for %(n)d users, who are told at the old address.",
            stop.kept,
        )
        % words
    )


def _stays(stop: SyncFieldStop) -> str:
    words = {"field": label_of(stop)}
    return _("%(field)s: stays, since too many would change at once.") % words


def _linked(count: int) -> str:
    return ngettext(
        "%(n)s PBX user that is here already becomes one with its entry.",
        "%(n)s PBX users that are here already become one with their entries.",
        count,
    ) % {"n": intcomma(count)}


def _removed(run: SyncRun, allowed: int | None) -> str:
    if allowed is None:
        return _("Nobody is deactivated, since it would be too many at once.")
    return ngettext(
        "%(n)s user is deactivated, and the sessions end at once.",
        "%(n)s users are deactivated, and their sessions end at once.",
        run.kept,
    ) % {"n": intcomma(run.kept)}


def begin_run(
    request: HttpRequest,
    source: Source,
    *,
    is_preview: bool = False,
    preview: SyncRun | None = None,
    allowed_removals: int | None = None,
    allows_fields: bool = False,
) -> HttpResponse:
    assert isinstance(request.user, PbxUser)
    run = runs.ask_for(
        Trigger.PAGE,
        is_preview=is_preview,
        actor=request.user,
        preview=preview,
        allowed_removals=allowed_removals,
        allows_fields=allows_fields,
        source=source,
    )
    transaction.on_commit(partial(wake_worker, sync_directory))
    return redirect(RUN, run.public_id)


def page(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    shared = admin.site.each_context(request)
    shared["opts"] = AuthenticationSettings._meta
    template = f"{FOLDER}/{name}.html" if name else "admin/confirm_action.html"
    return TemplateResponse(request, template, shared | context)


# Below the page of the settings: address, view and name.
PARTS = (
    ("users-from-directory/", overview, "sync"),
    ("users-from-directory/begin/", begin, "sync_begin"),
    ("users-from-directory/<uuid:public_id>/", show, "sync_run"),
    ("users-from-directory/<uuid:public_id>/live/", live, "sync_live"),
    ("users-from-directory/<uuid:public_id>/csv/", download, "sync_csv"),
    ("users-from-directory/<uuid:public_id>/confirm/", confirm, "sync_confirm"),
)
