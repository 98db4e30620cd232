"""The waiting page, and the page of the e-mail link."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.messages.storage.base import BaseStorage
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from authconfig.choices import Origin
from authconfig.users.audit import origin_of
from verification.approval import flows
from verification.approval.choices import (
    Decision,
    Ending,
    LoginState,
    MailNews,
    Outcome,
)
from verification.approval.forms import DecisionForm, EndingForm
from verification.approval.links import ending_by_link, find_by_link, find_rejected
from verification.approval.mails import newest_mail, news_of
from verification.approval.models import LoginSession
from verification.approval.pending import (
    approval_stage,
    ended_login,
    login_of,
    note_waited,
    pending_login,
    pending_stage,
)
from verification.approval.tokens import approval_code, ending_token
from verification.links import token_of
from verification.sessions import passwords, signed_in
from verification.sessions.choices import Approver

# Another mail would wait behind the first one, or be refused as well.
NOT_AGAIN = (MailNews.DELAYED, MailNews.REFUSED, MailNews.ADDRESS_REFUSED)


@login_not_required
@never_cache
@require_safe
def wait(request: HttpRequest) -> HttpResponse:
    login = pending_login(request) or ended_login(request)
    if login is None:
        return _nothing_waits(request)
    page = render(request, "verification/approval/wait.html", _waiting(login))
    note_waited(page, login)
    return page


def _nothing_waits(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        text = _(
            "No login is waiting in this browser any more: it took too long, or it was"
            " ended elsewhere. Please log in again."
        )
        _tell_once(request, text)
    return redirect("account_login")


def _tell_once(request: HttpRequest, text: str) -> None:
    """Each tab asks, and its script before it."""
    waiting = messages.get_messages(request)
    if all(each.message != text for each in waiting):
        messages.info(request, text)
    assert isinstance(waiting, BaseStorage)
    waiting.used = False  # they were read, and not shown


def _waiting(login: LoginSession) -> dict[str, Any]:
    pending = login.status == LoginState.PENDING
    mail = newest_mail(login)
    delay = flows.resend_allowed_at(login, mail) - timezone.now()
    news, left = news_of(mail) if mail else "", flows.resends_left(login)
    return {
        "login": login,
        "state": login.status,
        "code": approval_code(login) if pending else "",
        "email_hint": masked(mail.recipient) if mail else "",
        "has_other_session": pending and flows.has_approving_session(login.user),
        "news": news,
        "mail": mail,
        "resends_left": left,
        "can_send_again": pending and left > 0 and news not in NOT_AGAIN,
        "resend_wait_seconds": max(0, int(delay.total_seconds()) + 1),
        "poll_seconds": 5,
    }


def masked(email: str) -> str:
    """Return j•••@example.com: enough to know the mailbox, not to learn it."""
    local, _at, domain = email.rpartition("@")
    return f"{local[:1]}•••@{domain}"


@login_not_required
@never_cache
@require_POST
@transaction.atomic
def proceed(request: HttpRequest) -> HttpResponse:
    stage = approval_stage(request)
    login = login_of(stage)
    if stage is None or login is None:
        return redirect("verification:wait")
    if not flows.complete(login, stage.login.user):
        return redirect("verification:wait")
    stage.state["approver"] = login.approver
    response: HttpResponse = stage.exit()
    return response


@login_not_required
@never_cache
@require_POST
def cancel(request: HttpRequest) -> HttpResponse:
    login = pending_login(request)
    if login is not None and flows.cancel(login, origin=origin_of(request)):
        text = _("The login was cancelled. Nobody has been logged in.")
        messages.info(request, text)
    stage = pending_stage(request)
    if stage is not None:
        stage.abort()
    return redirect("account_login")


@login_not_required
@never_cache
@require_POST
def send_again(request: HttpRequest) -> HttpResponse:
    login = pending_login(request)
    if login is not None:
        flows.send_again(login)
    return redirect("verification:wait")


@login_not_required
@never_cache
def link(request: HttpRequest) -> HttpResponse:
    """Show the login of a link; mail scanners open links, so only a POST decides."""
    token = token_of(request.GET.get("id", ""))
    login = find_by_link(token)
    if login is None:
        return stale(request, ending_by_link(token))
    form = DecisionForm(request.POST or None)
    if request.method == "POST":
        outcome = outcome_of(login, form, Approver.EMAIL, origin_of(request))
        if outcome is Outcome.DECIDED:
            return _decided(request, login, form)
        if outcome is Outcome.ENDED:
            return stale(request, Ending.WRONG_CODES)
        if outcome is Outcome.OVER:
            return stale(request, ending_by_link(token))
    return render(
        request, "verification/approval/decide.html", {"login": login, "form": form}
    )


def outcome_of(
    login: LoginSession | None, form: DecisionForm, approver: Approver, origin: Origin
) -> Outcome:
    """Decide; the form says why a code was not taken."""
    if login is None:
        return Outcome.OVER
    if not form.is_valid():
        return Outcome.WRONG_CODE
    outcome = _decide(login, form, approver, origin)
    if outcome is Outcome.WRONG_CODE:
        form.add_error("code", _wrong_code_text(login))
    return outcome


def _decide(
    login: LoginSession, form: DecisionForm, approver: Approver, origin: Origin
) -> Outcome:
    if form.cleaned_data["decision"] == Decision.REJECT:
        return flows.reject(login, approver=approver, origin=origin)
    code = form.cleaned_data["code"]
    return flows.accept(login, code, approver=approver, origin=origin)


def _wrong_code_text(login: LoginSession) -> str:
    left = flows.tries_left(login)
    return ngettext(
        "This is not the code of the waiting page. %(left)d try is left.",
        "This is not the code of the waiting page. %(left)d tries are left.",
        left,
    ) % {"left": left}


def _decided(
    request: HttpRequest, login: LoginSession, form: DecisionForm
) -> HttpResponse:
    if form.cleaned_data["decision"] == Decision.ACCEPT:
        return render(request, "verification/approval/accepted.html")
    context = {
        "ending_form": EndingForm(initial={"token": ending_token(login)}),
        "may_change_password": passwords.may_change(login.user),
    }
    return render(request, "verification/approval/rejected_by_link.html", context)


@login_not_required
@never_cache
@require_POST
def end_after_rejection(request: HttpRequest) -> HttpResponse:
    form = EndingForm(request.POST)
    login = find_rejected(form.cleaned_data["token"]) if form.is_valid() else None
    if login is None:
        return stale(request)
    ended = signed_in.end_all(login.user, origin=origin_of(request))
    context = {
        "ended": ended,
        "all_ended": True,
        "may_change_password": passwords.may_change(login.user),
    }
    return render(request, "verification/approval/rejected_by_link.html", context)


def stale(request: HttpRequest, ending: str = "") -> HttpResponse:
    """Say what became of the login, as far as that is known."""
    context = {"ending": ending}
    page = "verification/approval/stale.html"
    return render(request, page, context, status=HTTPStatus.GONE)
