"""What a proxy asks about: whose request it is, and for which address."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest

from authconfig.clients.destinations import RETURN_FIELD
from authconfig.clients.return_urls import Address, parse
from pbxsite.gateway.forward.tokens import cookie_name

# What is none must not come to a database, which refuses the question for all.
SESSION_KEY = re.compile(r"[a-z0-9]{8,40}")
SITE_HOST = urlsplit(settings.SITE_URL).hostname or ""


class Ticket(NamedTuple):
    """All that the answer depends on."""

    slug: str
    session_key: str
    client_cookie: str
    host: str


def host_address(request: HttpRequest) -> Address | None:
    """Return the start of the host that the visitor asked, as the proxy says.

    It is believed as far as it goes: it only leads back to where a client allows.
    """
    proto = request.headers.get("X-Forwarded-Proto")
    host = request.headers.get("X-Forwarded-Host")
    return parse(f"{proto}://{host}/") if proto and host else None


def wanted_address(request: HttpRequest) -> Address | None:
    """Return what was asked for there; its host's start, if it is not plain enough."""
    host = host_address(request)
    path = request.headers.get("X-Forwarded-Uri", "")
    return host and (parse(f"{host.origin}{path}") or host)


def ticket_of(request: HttpRequest, slug: str, wanted: Address | None) -> Ticket:
    cookies = request.COOKIES
    key = cookies.get(settings.SESSION_COOKIE_NAME, "")
    return Ticket(
        slug,
        key if SESSION_KEY.fullmatch(key) else "",
        cookies.get(cookie_name(slug), ""),
        wanted.host if wanted else "",
    )


def is_on_our_host(address: Address) -> bool:
    """Does the site's own session cookie come along? Cookies know no ports."""
    return address.host.strip("[]") == SITE_HOST


def login_address(slug: str, wanted: Address | None) -> str:
    """Return where a visitor without a session is to go."""
    if wanted is None:
        return f"{settings.SITE_URL}/clients/{slug}/open/"
    query = urlencode({RETURN_FIELD: wanted.url})
    if is_on_our_host(wanted):
        return f"{settings.SITE_URL}/clients/{slug}/open/?{query}"
    return f"{wanted.origin}/.pbx-auth/{slug}/login/?{query}"


def is_page_view(request: HttpRequest) -> bool:
    """Would a redirect lead somebody to the login, or only break a script?"""
    method = request.headers.get("X-Forwarded-Method", request.method)
    mode = request.headers.get("Sec-Fetch-Mode", "navigate")
    is_script = "X-Requested-With" in request.headers
    return method in ("GET", "HEAD") and mode == "navigate" and not is_script
