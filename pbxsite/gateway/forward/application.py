"""The ASGI application that answers proxies, for every file of every page.

/forward-auth/<client>/ answers 200 or 401, as nginx wants it. Some proxies hand our
answer on to the browser: below, at redirect/, it leads page views to the login.
"""

from __future__ import annotations

import io
import logging
import re
from http import HTTPStatus
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.db import Error as AnyDatabaseError
from django.http import HttpResponse

from pbxsite.edge.responses import answer, refusal, security_headers, with_headers
from pbxsite.gateway.forward.cached_verdicts import Copies
from pbxsite.gateway.forward.lookups import Verdict
from pbxsite.gateway.forward.requests import (
    is_page_view,
    login_address,
    ticket_of,
    wanted_address,
)

logger = logging.getLogger(__name__)
ADDRESS = re.compile(
    r"/forward-auth/(?P<slug>[a-z0-9-]{1,40})/(?P<redirect>redirect/)?"
)
copies = Copies()
EMPTY = [(b"content-length", b"0"), (b"cache-control", b"no-store")]
# Only the administrator reads these, in the log of a proxy that is set up wrongly.
WORDS = {
    HTTPStatus.NOT_FOUND: "No client application has this short name.",
    HTTPStatus.FORBIDDEN: "This client application does not use forward authentication:"
    " choose it under “How it asks” in the administration.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The site cannot tell at present who this is.",
}


async def forward_auth(scope: Any, receive: Any, send: Any) -> None:
    request = ASGIRequest(scope, io.BytesIO())
    found = ADDRESS.fullmatch(scope["path"])
    refused = refusal(request, ["GET", "HEAD"])
    if found is None or refused:
        send = with_headers(security_headers(request), send)
        await answer(refused or _plain(HTTPStatus.NOT_FOUND), send)
        return
    wanted = wanted_address(request)
    ticket = ticket_of(request, found["slug"], wanted)
    verdict = copies.fresh(ticket)
    if verdict is None:
        verdict = await _asked(ticket)
    if verdict.status is HTTPStatus.OK:
        await _let_in(verdict, send)
        return
    send = with_headers(security_headers(request), send)
    if verdict.status is HTTPStatus.UNAUTHORIZED:
        address = login_address(found["slug"], wanted)
        by_redirect = bool(found["redirect"]) and is_page_view(request)
        await answer(_to_login(address, by_redirect=by_redirect), send)
    else:
        await answer(_plain(verdict.status), send)


async def _asked(ticket: Any) -> Verdict:
    """Ask the database; if it does not answer, let nobody in."""
    try:
        return await copies.ask(ticket)
    except (AnyDatabaseError, TimeoutError) as error:
        logger.warning("forward-auth: closed (%s)", type(error).__name__)
        return Verdict(HTTPStatus.SERVICE_UNAVAILABLE, [])


async def _let_in(verdict: Verdict, send: Any) -> None:
    headers = [*EMPTY, *verdict.headers]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": b""})


def _to_login(address: str, *, by_redirect: bool) -> HttpResponse:
    status = HTTPStatus.FOUND if by_redirect else HTTPStatus.UNAUTHORIZED
    response = _plain(status, f"Please log in: {address}")
    response["Location"] = address
    if not by_redirect:
        # RFC 9110, 11.6.1: a 401 names a scheme; this one asks browsers for nothing.
        response["WWW-Authenticate"] = 'Cookie realm="PBX"'
    return response


def _plain(status: HTTPStatus, words: str = "") -> HttpResponse:
    text = f"{words or WORDS.get(status, status.phrase)}\n"
    return HttpResponse(text, "text/plain; charset=utf-8", status=status)
