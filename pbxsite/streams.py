"""What Django's middleware does for pages, done for the event streams before it."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from csp.middleware import CSPMiddleware
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware

Application = Callable[[Any, Any, Any], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
open_streams: Counter[str] = Counter()


def _no_view(request: HttpRequest) -> HttpResponse:
    raise NotImplementedError


security = SecurityMiddleware(_no_view)
middleware = (security, CSPMiddleware(_no_view), XFrameOptionsMiddleware(_no_view))


def guarded(stream: Application) -> Application:
    """Refuse what Django would refuse, and give every answer the site's headers."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        request = ASGIRequest(scope, io.BytesIO())
        session = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
        send = _with_headers(_security_headers(request), send)
        refusal = _refusal(request) or _one_too_many(session)
        # An open stream would keep it for as long as it lasts.
        del request
        if refusal:
            await _answer(refusal, send)
            return
        with _counted(session):
            await stream(scope, receive, send)

    return application


def _refusal(request: HttpRequest) -> HttpResponse | None:
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    try:
        request.get_host()
    except DisallowedHost:
        return HttpResponse(status=HTTPStatus.BAD_REQUEST)
    return security.process_request(request)


def _one_too_many(session: str) -> HttpResponse | None:
    """A page that gets no stream asks now and then instead."""
    # Without a session no stream begins.
    if not session or open_streams[session] < settings.LIMIT_STREAMS:
        return None
    wait = {"Retry-After": "5"}
    return HttpResponse(status=HTTPStatus.TOO_MANY_REQUESTS, headers=wait)


@contextmanager
def _counted(session: str) -> Iterator[None]:
    open_streams[session] += 1
    try:
        yield
    finally:
        open_streams[session] -= 1
        if not open_streams[session]:
            del open_streams[session]


def _security_headers(request: HttpRequest) -> Headers:
    response = HttpResponse(headers={"Cache-Control": "no-store"})
    del response["Content-Type"]
    for each in middleware:
        response = each.process_response(request, response)
    return _raw(response)


def _raw(response: HttpResponse) -> Headers:
    return [(n.lower().encode(), v.encode("latin-1")) for n, v in response.items()]


def _with_headers(headers: Headers, send: Any) -> Any:
    async def send_with_headers(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = message | {"headers": [*message["headers"], *headers]}
        await send(message)

    return send_with_headers


async def _answer(response: HttpResponse, send: Any) -> None:
    start = {"type": "http.response.start", "status": response.status_code}
    await send(start | {"headers": _raw(response)})
    body = {"type": "http.response.body", "body": response.content}
    await send(body | {"more_body": False})
