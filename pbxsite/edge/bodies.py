"""The limit on request bodies, counted while they arrive.

Django would write a whole body to a temporary file before any code of ours runs.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from django.conf import settings

from pbxsite.edge.responses import Application

STATUS = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class Counted:
    """Hands on as much of the body as is allowed; then the browser seems to be gone."""

    def __init__(self, receive: Any) -> None:
        self._receive = receive
        self._left: int = settings.BODY_MAX_BYTES

    @property
    def is_over(self) -> bool:
        return self._left < 0

    async def __call__(self) -> Any:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        return {"type": "http.disconnect"} if self.is_over else message


def limited(application: Application) -> Application:
    async def counting(scope: Any, receive: Any, send: Any) -> None:
        body = Counted(receive)
        if _declared(scope) > settings.BODY_MAX_BYTES:
            await _refuse(send)
            return
        await application(scope, body, send)
        if body.is_over:
            await _refuse(send)

    return counting


def _declared(scope: Any) -> int:
    lengths = [
        value for name, value in scope.get("headers", ()) if name == b"content-length"
    ]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0


async def _refuse(send: Any) -> None:
    """Answer as RFC 9457 says: only scripts send so much."""
    detail = f"The site takes {settings.BODY_MAX_BYTES} bytes at once."
    told = {"type": "about:blank", "title": STATUS.phrase, "status": STATUS.value}
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    start = {"type": "http.response.start", "status": STATUS.value, "headers": headers}
    await send(start)
    body = json.dumps(told | {"detail": detail}).encode()
    await send({"type": "http.response.body", "body": body})
