"""The ASGI application of the WebSocket: which connections are let in.

It stands before Django's middleware, as the event streams do: a client that waits has
neither a thread nor a database connection.
"""

from __future__ import annotations

import re
from collections import Counter
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.utils import translation

from pbxsite.edge.local import is_on_this_machine
from pbxsite.edge.responses import refusal
from pbxsite.gateway.myapps.conversation import Conversation, Visitor
from pbxsite.gateway.myapps.messages import request_of
from pbxsite.gateway.myapps.wire import Wire
from verification.proxies import AddressUnknownError
from verification.sessions.lifecycle import network_of

ADDRESS = re.compile(
    r"/PBX0/(?:WEBSOCKET|APPCLIENT(?:/(?P<build>[A-Za-z0-9._-]{1,40}))?)/websocket"
)
# For clients that name no build in the address: a client that knows another one might
# load itself anew.
BUILD = "1000000"
MOST_BEFORE_LOGIN = 20
WORDS = {
    HTTPStatus.NOT_FOUND: "There is no WebSocket at this address.",
    HTTPStatus.BAD_REQUEST: "The site does not know the address of this connection.",
    HTTPStatus.FORBIDDEN: "This site takes connections by wss, without an Origin of"
    " another site.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many connections that have not logged in.",
}
before_login: Counter[str] = Counter()


async def myapps_socket(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    found = ADDRESS.fullmatch(scope["path"])
    request = request_of(scope)
    status = _status(request) if found else HTTPStatus.NOT_FOUND
    if found is None or status is not HTTPStatus.OK:
        await _refuse(status, send)
        return
    address = get_adapter().get_client_ip(request)
    network = network_of(address)
    if before_login[network] >= MOST_BEFORE_LOGIN:
        await _refuse(HTTPStatus.TOO_MANY_REQUESTS, send)
        return
    language = translation.get_language_from_request(request)
    visitor = Visitor(scope, address, language, found["build"] or BUILD)
    # A connection that waits would keep them in memory.
    del request, found
    counted = Counted(network)
    try:
        await Conversation(Wire(receive, send), visitor, counted.give_back).run()
    finally:
        counted.give_back()


class Counted:
    """A connection of an address that has not logged in yet."""

    __slots__ = ("_network",)

    def __init__(self, network: str) -> None:
        self._network = network
        before_login[network] += 1

    def give_back(self) -> None:
        if not self._network:
            return
        before_login[self._network] -= 1
        if not before_login[self._network]:
            del before_login[self._network]
        self._network = ""


def _status(request: ASGIRequest) -> HTTPStatus:
    try:
        get_adapter().get_client_ip(request)
    except AddressUnknownError:
        return HTTPStatus.BAD_REQUEST
    if refusal(request, ["GET"]) or not _is_from_here(request):
        return HTTPStatus.FORBIDDEN
    is_safe = request.is_secure() or is_on_this_machine(request)
    return HTTPStatus.OK if is_safe else HTTPStatus.FORBIDDEN


def _is_from_here(request: ASGIRequest) -> bool:
    """Browsers say which page opens the connection (RFC 6455, 10.2)."""
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    site = urlsplit(settings.SITE_URL)
    return origin == f"{site.scheme}://{site.netloc}"


async def _refuse(status: HTTPStatus, send: Any) -> None:
    headers = [(b"content-type", b"text/plain"), (b"cache-control", b"no-store")]
    if status is HTTPStatus.TOO_MANY_REQUESTS:
        headers.append((b"retry-after", b"5"))
    start = {"type": "websocket.http.response.start", "status": status.value}
    await send(start | {"headers": headers})
    body = f"{WORDS[status]}\n".encode()
    await send({"type": "websocket.http.response.body", "body": body})
