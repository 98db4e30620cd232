"""The checks and headers of Django's middleware, for what is served without it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from http import HTTPStatus
from typing import Any

from csp.middleware import CSPMiddleware
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware

Application = Callable[[Any, Any, Any], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


def _no_view(request: HttpRequest) -> HttpResponse:
    raise NotImplementedError


security = SecurityMiddleware(_no_view)
middleware = (security, CSPMiddleware(_no_view), XFrameOptionsMiddleware(_no_view))


def refusal(request: HttpRequest, methods: Collection[str]) -> HttpResponse | None:
    if request.method not in methods:
        return HttpResponseNotAllowed(methods)
    try:
        request.get_host()
    except DisallowedHost:
        return HttpResponse(status=HTTPStatus.BAD_REQUEST)
    return security.process_request(request)


def security_headers(request: HttpRequest, cache: str = "no-store") -> Headers:
    response = HttpResponse(headers={"Cache-Control": cache})
    del response["Content-Type"]
    for each in middleware:
        response = each.process_response(request, response)
    return raw(response)


def raw(response: HttpResponse) -> Headers:
    return [(n.lower().encode(), v.encode("latin-1")) for n, v in response.items()]


def with_headers(headers: Headers, send: Any) -> Any:
    async def send_with_headers(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = message | {"headers": [*message["headers"], *headers]}
        await send(message)

    return send_with_headers


async def answer(response: HttpResponse, send: Any) -> None:
    response["Content-Length"] = str(len(response.content))
    start = {"type": "http.response.start", "status": response.status_code}
    await send(start | {"headers": raw(response)})
    body = {"type": "http.response.body", "body": response.content}
    await send(body | {"more_body": False})
