"""Account security: logins to decide about, own sessions, own password."""

from __future__ import annotations

from typing import Any

from allauth.account.utils import get_next_redirect_url
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from authconfig.clients import is_myapps, myapps_required, session_client
from authconfig.models import PbxUser
from verification import factors, sessions
from verification.approvals import Tried, context_of
from verification.choices import Approver, Decision, Outcome
from verification.forms import DecisionForm
from verification.models import LoginSession
from verification.views import origin, outcome_of, stale

# A page that shows the logins beside its own business asks for them alone.
FRAGMENT_HEADER = "X-Fragment"


@never_cache
@require_GET
def account(request: HttpRequest) -> HttpResponse:
    return _account(request)


def _account(request: HttpRequest, tried: Tried | None = None) -> HttpResponse:
    assert isinstance(request.user, PbxUser)
    listed = sessions.listed(request)
    context = {
        "client": session_client(request),
        # For the include that shows the logins to decide about.
        "tried": tried,
        "sessions": listed,
        "can_end_others": len(listed) > 1,
        "factors": factors.factors_of(request.user) if is_myapps(request) else None,
        "passkey_fault": factors.passkey_fault(),
    }
    return render(request, "verification/account.html", context)


@never_cache
@require_GET
def approvals(request: HttpRequest) -> HttpResponse:
    """The logins to decide about, for a page that was told that they changed."""
    return _approvals(request, is_open="open" in request.GET)


def _approvals(
    request: HttpRequest, tried: Tried | None = None, **shown: Any
) -> HttpResponse:
    context = context_of(request, tried) | shown
    return render(request, "verification/approvals.html", context)


@never_cache
@require_POST
@myapps_required
def decide_here(request: HttpRequest, pk: int) -> HttpResponse:
    """Decide about a pending login in a session that exists already."""
    pending = LoginSession.objects.pending().select_related("user")
    login = pending.filter(user_id=request.user.pk, pk=pk).first()
    form = DecisionForm(request.POST)
    outcome = outcome_of(login, form, Approver.SESSION, origin(request))
    if FRAGMENT_HEADER in request.headers:
        shown = (
            outcome if outcome is not Outcome.DECIDED else form.cleaned_data["decision"]
        )
        return _approvals(request, (pk, form), outcome=shown)
    if outcome is Outcome.OVER:
        return stale(request)
    if outcome is Outcome.WRONG_CODE:
        return _account(request, (pk, form))
    if form.cleaned_data["decision"] == Decision.REJECT:
        return redirect("verification:rejected")
    return redirect(get_next_redirect_url(request) or "verification:account")


@never_cache
@require_GET
@myapps_required
def rejected(request: HttpRequest) -> HttpResponse:
    """What to do after "It is not me"."""
    return render(request, "verification/rejected.html")


@never_cache
@require_POST
def end_session(request: HttpRequest, pk: int) -> HttpResponse:
    session = get_object_or_404(sessions.manageable(request), pk=pk)
    sessions.end(request, [session])
    return redirect("verification:account")


@never_cache
@require_POST
@myapps_required
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    key = request.session.session_key
    sessions.end(request, sessions.manageable(request).exclude(session_key=key))
    return redirect("verification:account")
