"""The pages of a client's login in a browser: the question first, and the ends.

Whoever sends somebody else the address of a login is logged in if that person goes on
(RFC 8628, 5.4). So the page names the application and asks, before anything else.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from authconfig.choices import Event
from authconfig.clients.choices import Kind
from authconfig.models import current_rules
from authconfig.users import audit
from authconfig.users.audit import origin_of
from pbxsite.gateway.myapps import browser_logins
from pbxsite.gateway.myapps.models import BrowserLogin
from verification.sessions.user_agents import own_name_of_client

# The field of the form that refuses.
REFUSES = "refuse"


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, public_id: UUID) -> HttpResponse:
    login = browser_logins.find(public_id)
    if login is None:
        return render(request, "gateway/myapps/gone.html", status=HTTPStatus.GONE)
    if request.method != "POST":
        return render(request, "gateway/myapps/confirm.html", _facts(request, login))
    if REFUSES in request.POST:
        return _refused(request, login)
    return browser_logins.begin(request, login)


@login_not_required
@never_cache
@require_safe
def back(request: HttpRequest) -> HttpResponse:
    shown = request.session.pop(browser_logins.SHOWN_AS_KEY, "")
    return render(request, "gateway/myapps/back.html", {"shown": shown})


def _facts(request: HttpRequest, login: BrowserLogin) -> dict[str, Any]:
    return {
        "login": login,
        "application": own_name_of_client(login.user_agent),
        "provider": current_rules().oauth2_provider_name,
        "is_elsewhere": login.address != origin_of(request).address,
    }


def _refused(request: HttpRequest, login: BrowserLogin) -> HttpResponse:
    if browser_logins.refuse(login):
        user = request.user if request.user.is_authenticated else None
        audit.record(
            Event.LOGIN_REFUSED,
            user=user,
            origin=origin_of(request),
            kind=Kind.MYAPPS,
            detail=f"in the browser, of a client at {login.address}",
        )
    return render(request, "gateway/myapps/refused.html")
