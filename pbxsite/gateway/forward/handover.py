"""From a login to the client that was wanted, also where that is another host.

There the site's session cookie does not go. The proxy hands /.pbx-auth/ of the client's
host on to the site, which gives that host a cookie of its own in exchange for a
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
from authconfig.models import current_settings
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
    """Lead a session of the client's kind on, and everybody else to its login."""
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
    """Stop where the client would only send its visitor back here, for ever."""
    if not methods_for(current_settings(), Kind(client.kind)):
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
    """Does the client not take what the site gives, and send its visitor back?"""
    key = f"client-opened:{request.user.pk}:{slug}"
    if cache.add(key, 1, ROUND_SECONDS):
        return False
    try:
        times: int = cache.incr(key)
    except ValueError:
        # It was forgotten just now.
        return False
    return times > MOST_ROUNDS


def _onward(request: HttpRequest, client: ClientApplication) -> str:
    """Return where one wanted to go, else the client's start, by way of its cookie."""
    address, state = _wanted(request, client), request.GET.get(STATE_FIELD, "")
    if address is None:
        return client.start_url
    if state and client.asks(AsksBy.FORWARD_AUTH) and not is_on_our_host(address):
        return _entry(request, client, address, state)
    return address.url


def _entry(
    request: HttpRequest, client: ClientApplication, address: Address, state: str
) -> str:
    """Return the client's own address that takes a code for its cookie."""
    key = request.session.session_key
    session = get_object_or_404(UserSession, session_key=key, user=request.user)
    code = make_code(session, client.slug, address.host, state)
    query = urlencode({CODE_FIELD: code, RETURN_FIELD: address.url})
    return f"{address.origin}{reverse('client_enter', args=[client.slug])}?{query}"


@login_not_required
@never_cache
@require_safe
def begin(request: HttpRequest, slug: str) -> HttpResponse:
    """On the client's host: give the browser a state, and lead it to the site."""
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
    """On the client's host: take the code, give the cookie, go where one wanted."""
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
    """Return the wanted address if the client allows it, and it is on this host."""
    here, address = host_address(request), _wanted(request, client)
    is_here = here and address and here.origin == address.origin
    return address if is_here else None


def _set_cookie(response: HttpResponse, name: str, value: str) -> None:
    """For this host and this run of the browser; the site's session decides."""
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
    """Say what the visitor can do, or what the administrator has left out."""
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
