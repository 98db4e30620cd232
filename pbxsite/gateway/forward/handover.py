"""The way from a login to the client application, also on another host.

Browsers do not send the site's session cookie to another host. There the proxy hands
/.pbx-auth/ on to the site, which gives that host a cookie of its own in exchange for a
one-time code. The code works only in the browser that asked for it on that host.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlencode

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from authconfig.clients.choices import AsksBy, Kind
from authconfig.clients.destinations import ACCOUNT, LOGIN_PAGES, RETURN_FIELD
from authconfig.clients.models import ClientApplication
from authconfig.clients.return_urls import Address, parse
from authconfig.clients.session_kinds import session_kind
from authconfig.models import current_rules
from authconfig.policy import methods_for
from pbxsite.gateway.forward.requests import host_address, is_on_our_host
from pbxsite.gateway.forward.tokens import (
    cookie_name,
    digest,
    make_code,
    make_cookie,
    new_state,
    state_name,
    use_code,
)
from verification.login.page import closed_reason
from verification.login.redirect_page import page_to

# More than a browser opens at once with all its tabs.
MOST_ROUNDS, ROUND_SECONDS = 20, 20
STATE_FIELD, CODE_FIELD, HOST_FIELD = "state", "code", "host"


@login_not_required
@never_cache
@require_safe
def open_client(request: HttpRequest, slug: str) -> HttpResponse:
    client = get_object_or_404(ClientApplication, slug=slug)
    kind = Kind(client.kind)
    if session_kind(request) is not kind:
        return redirect_to_login(request.get_full_path(), reverse(LOGIN_PAGES[kind]))
    obstacle = _obstacle(request, client)
    if obstacle:
        return obstacle
    url = _onward(request, client)
    if not url:
        return redirect(ACCOUNT)
    return page_to(request, client.name, url, _("You are logged in."))


def _obstacle(request: HttpRequest, client: ClientApplication) -> HttpResponse | None:
    """Return a page that ends a loop, where the client would send its visitor back."""
    if not methods_for(current_rules(), Kind(client.kind)):
        context = {"client": client, "reason": closed_reason()}
        status = HTTPStatus.FORBIDDEN
        return render(request, "gateway/forward/closed.html", context, status=status)
    if _goes_round(request, client.slug):
        status = HTTPStatus.LOOP_DETECTED
        return render(
            request, "gateway/forward/round.html", {"client": client}, status=status
        )
    return None


def _goes_round(request: HttpRequest, slug: str) -> bool:
    """Say whether the client keeps sending its visitor back here."""
    key = f"client-opened:{request.user.pk}:{slug}"
    if cache.add(key, 1, ROUND_SECONDS):
        return False
    try:
        times: int = cache.incr(key)
    except ValueError:
        # The key expired between the two calls.
        return False
    return times > MOST_ROUNDS


def _onward(request: HttpRequest, client: ClientApplication) -> str:
    """Return the wanted address, else the client's start; first the client's cookie."""
    address, state = _wanted(request, client), request.GET.get(STATE_FIELD, "")
    if address is None:
        return client.start_url
    if state and client.asks(AsksBy.FORWARD_AUTH) and not is_on_our_host(address):
        return _entry(request, client, address, state)
    return address.url


def _entry(
    request: HttpRequest, client: ClientApplication, address: Address, state: str
) -> str:
    key = request.session.session_key
    session = get_object_or_404(UserSession, session_key=key, user=request.user)
    code = make_code(session, client.slug, address.host, state)
    query = urlencode({CODE_FIELD: code, RETURN_FIELD: address.url})
    return f"{address.origin}{reverse('client_enter', args=[client.slug])}?{query}"


@login_not_required
@never_cache
@require_safe
def begin(request: HttpRequest, slug: str) -> HttpResponse:
    client = get_object_or_404(ClientApplication, slug=slug)
    wanted = _wanted_here(request, client)
    if wanted is None:
        return _failed(request, slug)
    state = request.COOKIES.get(state_name(slug)) or new_state()
    query = urlencode({RETURN_FIELD: wanted.url, STATE_FIELD: digest(state)})
    opening = reverse("open_client", args=[slug])
    response = redirect(f"{settings.SITE_URL}{opening}?{query}")
    _set_cookie(response, state_name(slug), state)
    return response


@login_not_required
@never_cache
@require_safe
def enter(request: HttpRequest, slug: str) -> HttpResponse:
    client = get_object_or_404(ClientApplication, slug=slug)
    wanted = _wanted_here(request, client)
    if wanted is None:
        return _failed(request, slug)
    state = request.COOKIES.get(state_name(slug), "")
    shown = use_code(request.GET.get(CODE_FIELD, ""), slug, wanted.host, state)
    if shown is None:
        return _failed(request, slug)
    response = redirect(wanted.url)
    _set_cookie(response, cookie_name(slug), make_cookie(shown))
    return response


def _wanted(request: HttpRequest, client: ClientApplication) -> Address | None:
    wanted = request.GET.get(RETURN_FIELD, "")
    return parse(wanted) if client.allows(wanted) else None


def _wanted_here(request: HttpRequest, client: ClientApplication) -> Address | None:
    here, address = host_address(request), _wanted(request, client)
    is_here = here and address and here.origin == address.origin
    return address if is_here else None


def _set_cookie(response: HttpResponse, name: str, value: str) -> None:
    """Set it for this host until the browser ends; the site's session decides."""
    response.set_cookie(
        name, value, secure=settings.HTTPS, httponly=True, samesite="Lax"
    )


def _failed(request: HttpRequest, slug: str) -> HttpResponse:
    """Explain it on the site: a client's host has none of our pages' files."""
    here, wanted = host_address(request), request.GET.get(RETURN_FIELD, "")
    told = {RETURN_FIELD: wanted, HOST_FIELD: here.origin if here else ""}
    page = reverse("client_failed", args=[slug])
    return redirect(f"{settings.SITE_URL}{page}?{urlencode(told)}")


@login_not_required
@never_cache
@require_safe
def failed(request: HttpRequest, slug: str) -> HttpResponse:
    client = get_object_or_404(ClientApplication, slug=slug)
    here, address = parse(request.GET.get(HOST_FIELD, "")), _wanted(request, client)
    if here and address and here.origin == address.origin:
        context = {"client": client, "address": address.url}
        return render(
            request, "gateway/forward/stale.html", context, status=HTTPStatus.GONE
        )
    context = {"client": client, "origin": here.origin if here else ""}
    status = HTTPStatus.FORBIDDEN
    return render(request, "gateway/forward/not_allowed.html", context, status=status)


urlpatterns = [
    path("clients/<slug:slug>/open/", open_client, name="open_client"),
    path("clients/<slug:slug>/failed/", failed, name="client_failed"),
    path(".pbx-auth/<slug:slug>/login/", begin, name="client_login"),
    path(".pbx-auth/<slug:slug>/enter/", enter, name="client_enter"),
]
