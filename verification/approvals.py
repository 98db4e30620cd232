"""The logins that wait for a signed-in user's decision, as every page shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from authconfig.clients import is_myapps
from verification.forms import DecisionForm
from verification.models import LoginSession


@dataclass(frozen=True)
class Approval:
    login: LoginSession
    form: DecisionForm


# A decision that was refused, with the login it was about.
Tried = tuple[int, DecisionForm]


def approvals_of(request: HttpRequest, tried: Tried | None = None) -> list[Approval]:
    """A myPBX session decides nothing, so it is shown nothing."""
    if not is_myapps(request):
        return []
    forms = dict([tried]) if tried else {}
    pending = LoginSession.objects.pending().filter(user_id=request.user.pk)
    return [
        Approval(login, forms.get(login.pk, DecisionForm()))
        for login in pending.select_related("user")
    ]


def context_of(request: HttpRequest, tried: Tried | None = None) -> dict[str, Any]:
    """Return what the template "approvals.html" shows on this page."""
    approvals = approvals_of(request, tried)
    return {
        "request": request,
        "is_signed_in": request.user.is_authenticated,
        "approvals": approvals,
        "logins": " ".join(str(approval.login.pk) for approval in approvals),
        "was_tried": bool(tried),
    }
