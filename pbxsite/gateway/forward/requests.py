"""What a proxy says of a request: whose it is, and for which address."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest

from authconfig.clients.destinations import RETURN_FIELD
from authconfig.clients.return_urls import Address, parse
from pbxsite.gateway.forward.tokens import cookie_name
from verification.sessions.lifecycle import shown_key

# As our own cookie is made; answers are kept by it, whoever sends one.
CLIENT_COOKIE = re.compile(r"[A-Za-z0-9_.:-]{1,600}")
SITE_HOST = urlsplit(settings.SITE_URL).hostname or ""


class Ticket(NamedTuple):
    """Everything in a request that the verdict depends on."""

    slug: str
    session_key: str
    client_cookie: str
    host: str


def host_address(request: HttpRequest) -> Address | None:
    """Return the root of the host that the visitor asked, as the proxy says.

    A forged one is harmless: the site leads only to addresses that a client allows.
    """
    proto = request.headers.get("X-Forwarded-Proto")
    host = request.headers.get("X-Forwarded-Host")
    return parse(f"{proto}://{host}/") if proto and host else None


def wanted_address(request: HttpRequest) -> Address | None:
    host = host_address(request)
    path = request.headers.get("X-Forwarded-Uri", "")
    return host and (parse(f"{host.origin}{path}") or host)


def ticket_of(request: HttpRequest, slug: str, wanted: Address | None) -> Ticket:
    shown = request.COOKIES.get(cookie_name(slug), "")
    return Ticket(
        slug,
        # What is no key would make the look-up fail, for all who wait for it.
        shown_key(request),
        shown if CLIENT_COOKIE.fullmatch(shown) else "",
        wanted.host if wanted else "",
    )


def is_on_our_host(address: Address) -> bool:
    """Say whether the site's session cookie reaches it; cookies know no ports."""
    return address.host.strip("[]") == SITE_HOST


def login_address(slug: str, wanted: Address | None) -> str:
    if wanted is None:
        return f"{settings.SITE_URL}/clients/{slug}/open/"
    query = urlencode({RETURN_FIELD: wanted.url})
    if is_on_our_host(wanted):
        return f"{settings.SITE_URL}/clients/{slug}/open/?{query}"
    return f"{wanted.origin}/.pbx-auth/{slug}/login/?{query}"


def is_page_view(request: HttpRequest) -> bool:
    """Say whether a redirect leads a person to the login, or only breaks a script."""
    method = request.headers.get("X-Forwarded-Method", request.method)
    mode = request.headers.get("Sec-Fetch-Mode", "navigate")
    is_script = "X-Requested-With" in request.headers
    return method in ("GET", "HEAD") and mode == "navigate" and not is_script
