"""TODO docstring of verification.sessions.signed_in.factor_requirement"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from verification.login.factors.views import LEADING_ON, OPEN_WITHOUT_FACTOR, View
from verification.sessions.factors import is_missing


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
