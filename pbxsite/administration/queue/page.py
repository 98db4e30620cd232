"""The operators' page of the admin: do e-mails go out, and if not, why?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from pbxsite.administration.confirmation import CONFIRMED
from pbxsite.administration.queue.charts import chart
from pbxsite.administration.queue.mail_actions import operator_of
from pbxsite.administration.queue.report import (
    QueueReport,
    oversized_words,
    queue_report,
    refused_words,
)
from verification.mail.choices import MailState, Part
from verification.mail.operation import actions
from verification.mail.operation.operators import is_operator
from verification.mail.operation.overview import Group, ended, group_of
from verification.sessions.factors import is_missing

View = Callable[..., HttpResponse]
GROUP = "group"


def operators(view: View) -> View:
    """Guard a view of the admin: only operators of the queue may open it."""

    @never_cache
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not is_operator(request):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    guarded: View = admin.site.admin_view(checked)
    return guarded


@operators
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    context = admin.site.each_context(request) | _context(queue_report())
    return TemplateResponse(
        request, "admin/queue/page.html", context | {"title": _("E-mail queue")}
    )


@operators
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Send the page's changing part alone, which its script asks for repeatedly."""
    return TemplateResponse(request, "admin/queue/live.html", _context(queue_report()))


def _context(found: QueueReport) -> dict[str, Any]:
    mails = reverse("admin:mail_outgoingemail_changelist")
    states = [
        (state, state.label, found.mails[state], f"{mails}?state__exact={state}")
        for state in MailState
    ]
    return {
        "report": found,
        "states": states,
        "charts": [
            (_("The last hour, by the minute"), chart(found.hour)),
            (_("The last day, by the quarter of an hour"), chart(found.day)),
        ],
        "workers": [s for s in found.speakers if s.kind == Part.WORKER],
        "schedulers": [s for s in found.speakers if s.kind == Part.SCHEDULER],
        "mails_url": mails,
        "refused": refused_words(found.refused_addresses),
        "oversized": oversized_words(found.oversized),
    }


@operators
@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """Ask first, then act: the answer to the question is a second POST."""
    chosen = _chosen(request)
    if chosen is None:
        messages.error(request, _("This is over by now; nothing was done."))
    elif CONFIRMED not in request.POST:
        return _asked(request, chosen)
    else:
        chosen.perform(request)
    return redirect("queue")


@dataclass(frozen=True)
class Chosen:
    """What a button does, what is asked before, and what it concerns."""

    perform: Callable[[HttpRequest], None]
    yes: str
    question: str
    rows: list[str]


def _asked(request: HttpRequest, chosen: Chosen) -> HttpResponse:
    context = admin.site.each_context(request) | {
        "title": chosen.question,
        "yes": chosen.yes,
        "rows": chosen.rows,
        "action": request.POST.get("action", ""),
        "chosen": request.POST.getlist(GROUP),
        "checkbox_name": GROUP,
        "confirmed_name": CONFIRMED,
        "back_url": reverse("queue"),
    }
    return TemplateResponse(request, "admin/confirm_action.html", context)


def _chosen(request: HttpRequest) -> Chosen | None:
    action = request.POST.get("action", "")
    if action == "pause":
        question = _("Pause the sending of all e-mails?")
        return Chosen(_pause, _("Pause sending"), question, [_pause_words()])
    if action == "resume":
        question, row = _("Go on sending e-mails?"), _("What waits goes out at once.")
        return Chosen(_resume, _("Go on sending"), question, [row])
    if group := group_of(request.POST.get(GROUP, "")):
        question = _("Queue all these e-mails again?")
        return Chosen(_retry(group), _("Queue again"), question, _group_words(group))
    return None


def _pause_words() -> str:
    return _(
        "No e-mail goes out until somebody goes on: whoever needs a verification"
        " e-mail cannot log in."
    )


def _group_words(group: Group) -> list[str]:
    count = group.mails().retryable().count()
    words = ngettext("%(n)d e-mail goes out.", "%(n)d e-mails go out.", count)
    rows = [words % {"n": count}]
    if group.state == MailState.UNKNOWN:
        rows.append(_("They may be there already, and then arrive twice."))
    if left := group.mails().count() - count:
        words = ngettext(
            "%(n)d stays as it is: its login is over, or its user has to ask for it.",
            "%(n)d stay as they are: their logins are over, or their users have to"
            " ask for them.",
            left,
        )
        rows.append(words % {"n": left})
    return rows


def _pause(request: HttpRequest) -> None:
    actions.pause(operator_of(request))
    messages.warning(request, _("Sending is paused."))


def _resume(request: HttpRequest) -> None:
    actions.resume(operator_of(request))
    messages.success(request, _("Sending goes on."))


def _retry(group: Group) -> Callable[[HttpRequest], None]:
    def perform(request: HttpRequest) -> None:
        count = actions.retry(group.mails(), operator_of(request))
        ended.forget()
        text = ngettext("%(n)d e-mail queued.", "%(n)d e-mails queued.", count)
        messages.success(request, text % {"n": count})

    return perform


@login_not_required
@never_cache
@require_safe
def allowed(request: HttpRequest) -> HttpResponse:
    """Answer a proxy that guards other operators' tools with this site's login."""
    if is_missing(request):
        # After a 401 the proxy would lead to the login, which leads back to the proxy.
        return HttpResponse(status=403)
    may = admin.site.has_permission(request) and is_operator(request)
    return HttpResponse(status=204 if may else 401)


urlpatterns = [
    path("admin/queue/", page, name="queue"),
    path("admin/queue/live/", live, name="queue_live"),
    path("admin/queue/act/", act, name="queue_act"),
    path("operators/allowed/", allowed, name="operators_allowed"),
]
