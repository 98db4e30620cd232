"""The pending logins that a signed-in user may decide about, on every page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from authconfig.clients.session_kinds import is_myapps
from verification.approval.forms import DecisionForm
from verification.approval.models import LoginSession
from verification.approval.pending import pending_login
from verification.sessions.factors import approver_of, is_missing


@dataclass(frozen=True)
class Approval:
    login: LoginSession
    form: DecisionForm


# The key of a login, and the form of a decision about it that was refused.
Tried = tuple[int, DecisionForm]


def approvals_of(request: HttpRequest, tried: Tried | None = None) -> list[Approval]:
    forms = dict([tried]) if tried else {}
    return [
        Approval(login, forms.get(login.pk, DecisionForm()))
        for login in decidable(request)
    ]


def decidable(request: HttpRequest) -> QuerySet[LoginSession]:
    """Return the logins that this session may decide about.

    A myPBX session decides nothing, nor does one whose user has yet to set up a factor.
    No browser approves the login that it began itself, even a signed-in one.
    """
    if not is_myapps(request) or is_missing(request):
        return LoginSession.objects.none()
    own = pending_login(request)
    pending = LoginSession.objects.pending().filter(user_id=request.user.pk)
    others = pending.exclude(pk=own.pk) if own else pending
    return others.select_related("user")


def context_of(request: HttpRequest, tried: Tried | None = None) -> dict[str, Any]:
    approvals = approvals_of(request, tried)
    return {
        "request": request,
        "is_signed_in": request.user.is_authenticated,
        "approvals": approvals,
        "logins": " ".join(str(approval.login.pk) for approval in approvals),
        "was_tried": bool(tried),
        "counts_here": _counts_here(request, approvals),
    }


def _counts_here(request: HttpRequest, approvals: list[Approval]) -> bool:
    """Would a factor that a login shows count if this session accepted the login?"""
    is_asked = any(approval.login.factor_id for approval in approvals)
    return is_asked and bool(approver_of(request))
