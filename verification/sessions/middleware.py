"""What each request does for its session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from verification.sessions.factors import is_missing
from verification.sessions.persistence import follow, note_use, renew

View = Callable[..., Any]
# What a session may open whose user has yet to set up the factor that is required.
OPEN_WITHOUT_FACTOR = {
    "mfa_needed",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "account_reauthenticate",
    "account_logout",
}
# Nobody has to be signed in for these; who is goes on to a client.
LEADING_ON = {"open_client", "openid:authorize", "openid:consent"}


class PersistentSessions:
    """Middleware; after the response, when it is known whose session this is by now."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        key_before = request.session.session_key
        response: HttpResponse = self.get_response(request)
        if request.session.accessed and request.user.is_authenticated:
            follow(request, key_before)
            renew(request.session)
            note_use([request.session.session_key or ""])
        return response


class FactorRequirement:
    """Middleware: who has to have a factor and has none sets one up first.

    What needs no login stays open: another login may begin, and this session may end.
    """

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = self.get_response(request)
        return response

    def process_view(
        self, request: HttpRequest, view: View, *_arguments: Any
    ) -> HttpResponse | None:
        if _is_open(request, view):
            return None
        return redirect("mfa_needed") if is_missing(request) else None


def _is_open(request: HttpRequest, view: View) -> bool:
    match = request.resolver_match
    if match is None or match.view_name in LEADING_ON:
        return False
    is_public = not getattr(view, "login_required", True)
    return is_public or match.url_name in OPEN_WITHOUT_FACTOR
