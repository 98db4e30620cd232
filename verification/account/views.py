"""Account security: pending logins, own sessions, own password."""

from __future__ import annotations

from typing import Any

from allauth.account.utils import get_next_redirect_url
from allauth.core.ratelimit import consume_or_429, respond_429
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import (
    require_GET,
    require_http_methods,
    require_POST,
)

from authconfig.clients.destinations import ACCOUNT
from authconfig.clients.models import ClientApplication
from authconfig.clients.session_kinds import is_myapps, myapps_required, session_kind
from authconfig.models import current_rules
from authconfig.oauth2.identities import connection_of
from authconfig.users.audit import origin_of
from authconfig.users.models import PbxUser
from verification.account.forms import OwnPasswordForm
from verification.account.history import events_of
from verification.account.recordings import recordings_of
from verification.approval.banner import Tried, context_of, decidable
from verification.approval.choices import Decision, Ending, Outcome
from verification.approval.forms import DecisionForm
from verification.approval.views import outcome_of, stale
from verification.sessions import factors, passwords, signed_in
from verification.sessions.choices import Approver
from verification.sessions.reauthentication import reauthentication_required

# Pages that show the logins beside something else send it, to get only the fragment.
FRAGMENT_HEADER = "X-Fragment"


@never_cache
@require_GET
def account(request: HttpRequest) -> HttpResponse:
    return _account(request)


def _account(request: HttpRequest, tried: Tried | None = None) -> HttpResponse:
    assert isinstance(request.user, PbxUser)
    user, decides = request.user, is_myapps(request)
    listed, kind = signed_in.listed(request), session_kind(request)
    assert kind
    context = {
        "kind": kind,
        "tiles": ClientApplication.objects.tiles_of(kind),
        # For the tag that shows the logins to decide about.
        "tried": tried,
        "sessions": listed,
        "can_end_others": len(listed) > 1,
        "factors": factors.factors_of(user) if decides else None,
        "passkey_fault": factors.passkey_fault(),
        "two_factor": current_rules().two_factor,
        "counts_at_once": bool(factors.approver_of(request)),
        "oauth2": connection_of(user) if decides else None,
        "may_change_password": decides and passwords.may_change(user),
        "recordings": recordings_of(user) if decides else [],
        "events": events_of(user) if decides else [],
    }
    return render(request, "verification/account/account.html", context)


@never_cache
@require_GET
def approvals(request: HttpRequest) -> HttpResponse:
    return _approvals(request, is_open="open" in request.GET)


def _approvals(
    request: HttpRequest, tried: Tried | None = None, **shown: Any
) -> HttpResponse:
    context = context_of(request, tried) | shown
    return render(request, "verification/approval/approvals.html", context)


@never_cache
@require_POST
@myapps_required
def decide_here(request: HttpRequest, pk: int) -> HttpResponse:
    login = decidable(request).filter(pk=pk).first()
    form = DecisionForm(request.POST)
    approved = factors.approver_of(request)
    approver = Approver.SESSION if approved else Approver.UNAPPROVED
    outcome = outcome_of(login, form, approver, origin_of(request))
    if FRAGMENT_HEADER in request.headers:
        decided = outcome is Outcome.DECIDED
        shown = form.cleaned_data["decision"] if decided else outcome
        return _approvals(request, (pk, form), outcome=shown)
    if outcome is Outcome.ENDED:
        return stale(request, Ending.WRONG_CODES)
    if outcome is Outcome.OVER:
        return stale(request)
    if outcome is Outcome.WRONG_CODE:
        return _account(request, (pk, form))
    if form.cleaned_data["decision"] == Decision.REJECT:
        return redirect("verification:rejected")
    return redirect(get_next_redirect_url(request) or ACCOUNT)


@never_cache
@require_GET
@myapps_required
def rejected(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, PbxUser)
    context = {
        "may_change_password": passwords.may_change(request.user),
        "can_end_others": signed_in.manageable(request).count() > 1,
    }
    return render(request, "verification/approval/rejected.html", context)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@myapps_required
def password(request: HttpRequest) -> HttpResponse:
    """Change the own PBX password; the present one is asked for at any age of login."""
    assert isinstance(request.user, PbxUser)
    if not passwords.may_change(request.user):
        raise Http404
    limited = _limited(request) if request.method == "POST" else None
    if limited:
        return limited
    form = OwnPasswordForm(request.user, request.POST or None)
    if form.is_valid():
        new = form.cleaned_data["new_password1"]
        ended = passwords.change(request, request.user, new, origin_of(request))
        if ended is not None:
            messages.success(request, _changed_text(ended))
            return redirect(ACCOUNT)
        form.add_error("old_password", form.error_messages["password_incorrect"])
    if form.has_error("old_password", "password_incorrect"):
        passwords.record_wrong(request, request.user)
    context = {"form": form, "min_length": current_rules().password_min_length}
    return render(request, "verification/account/password.html", context)


def _limited(request: HttpRequest) -> HttpResponse | None:
    assert isinstance(request.user, PbxUser)
    if not passwords.may_guess(request, request.user):
        return respond_429(request)  # type: ignore[no-any-return]
    limited: HttpResponse | None = consume_or_429(
        request, action="change_password", user=request.user
    )
    return limited


def _changed_text(ended: int) -> str:
    done = gettext("Your password was changed.")
    return f"{done} {_ended_text(ended)}" if ended else done


def _ended_text(ended: int) -> str:
    return ngettext(
        "%(n)d other session was ended.", "%(n)d other sessions were ended.", ended
    ) % {"n": ended}


@never_cache
@require_POST
def end_session(request: HttpRequest, pk: int) -> HttpResponse:
    session = get_object_or_404(signed_in.manageable(request), pk=pk)
    signed_in.end(request, [session])
    return redirect(ACCOUNT)


@never_cache
@require_POST
@myapps_required
@reauthentication_required
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, PbxUser)
    key = request.session.session_key or ""
    ended = signed_in.end_all(request.user, origin=origin_of(request), besides=key)
    messages.success(request, _ended_text(ended))
    return redirect(ACCOUNT)
