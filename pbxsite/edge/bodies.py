"""The limits of request bodies: how large they are, and how long they take to arrive.

Django would write a whole body to a temporary file before any code of ours runs, and
wait for its end for as long as it takes.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, field, replace
from functools import cache
from http import HTTPStatus
from typing import IO, Any

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.urls import reverse

from pbxsite.edge.responses import Application

TOO_LARGE, TOO_SLOW = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT
GONE = {"type": "http.disconnect"}


@dataclass(frozen=True)
class Limit:
    """Of one body: its bytes, and the seconds from the request to the body's end."""

    bytes: int
    seconds: float
    too_large: str = "This address takes {bytes} bytes at once. Send less."
    # How a refusal is written, and what stands in it beside what RFC 9457 says.
    media_type: str = "application/problem+json"
    beside: dict[str, Any] = field(default_factory=dict)


# Far more than any form has; it stays in memory.
FORM = Limit(64 * 1024, 15)
# A user by SCIM, whose errors have a form of their own (RFC 7644, 3.12).
SCIM_ADDRESSES = "/scim/"
SCIM = replace(
    FORM,
    media_type="application/scim+json",
    beside={"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"]},
)
# A recording, or a file of users.
FILE = Limit(settings.BODY_MAX_BYTES, 120)
RECORDING_TOO_LARGE = (
    f"A recording may have {settings.VOICEMAIL_MAX_BYTES} bytes (VOICEMAIL_MAX_MB)."
)


class Body:
    """Hands a body on within its limit; beyond it the browser seems to be gone."""

    def __init__(self, receive: Any, limit: Limit) -> None:
        self.fault: HTTPStatus | None = None
        self._receive, self._left = receive, limit.bytes
        self._until = asyncio.get_running_loop().time() + limit.seconds
        self._has_ended = False

    async def __call__(self) -> Any:
        if self.fault:
            return GONE
        if self._has_ended:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            self.fault = TOO_SLOW
            return GONE
        self._left -= len(message.get("body", b""))
        self._has_ended = not message.get("more_body", False)
        if self._left < 0:
            self.fault = TOO_LARGE
            return GONE
        return message

    async def whole(self) -> bytes | None:
        """Wait for all of it; None where it does not come."""
        parts = []
        while not self._has_ended:
            message = await self()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
        return b"".join(parts)


class Request(ASGIRequest):
    """Says how long a body is that came in chunks: Django takes it for an empty form.

    No proxy in front needs to buffer what a PBX or HTTP/2 sends without a length. And
    where the sender names a codec that is for no text ("hex"), the form is in UTF-8:
    Django would fail at reading it.
    """

    def __init__(self, scope: Any, body_file: IO[bytes]) -> None:
        super().__init__(scope, body_file)
        if "CONTENT_LENGTH" not in self.META:
            self.META["CONTENT_LENGTH"] = str(body_file.seek(0, os.SEEK_END))
            body_file.seek(0)
        if self.encoding and not _is_for_text(self.encoding):
            self.encoding = settings.DEFAULT_CHARSET


def _is_for_text(codec: str) -> bool:
    try:
        bytes(4).decode(codec)
    except (LookupError, UnicodeError):
        return False
    return True


class Handler(ASGIHandler):
    request_class = Request


def limited(application: Application) -> Application:
    async def limiting(scope: Any, receive: Any, send: Any) -> None:
        limit = _limit_of(scope["path"])
        if _declared(scope) > limit.bytes:
            await _refuse(TOO_LARGE, limit, send)
            return
        body = Body(receive, limit)
        if limit.bytes == FORM.bytes:
            await _with_whole(body, application, scope, send)
        else:
            await application(scope, body, send)
        if body.fault:
            await _refuse(body.fault, limit, send)

    return limiting


async def _with_whole(
    body: Body, application: Application, scope: Any, send: Any
) -> None:
    """Begin with the request when its body is there: until then it holds nothing."""
    whole = await body.whole()
    if whole is None:
        return
    messages = [{"type": "http.request", "body": whole, "more_body": False}]

    async def receive() -> Any:
        return messages.pop() if messages else await body()

    await application(scope, receive, send)


def _limit_of(path: str) -> Limit:
    return SCIM if path.startswith(SCIM_ADDRESSES) else _limits().get(path, FORM)


@cache
def _limits() -> dict[str, Limit]:
    return {
        reverse("verification:voicemail"): replace(FILE, too_large=RECORDING_TOO_LARGE),
        reverse("admin:users_pbxuser_import"): FILE,
    }


def _declared(scope: Any) -> int:
    lengths = [
        value for name, value in scope.get("headers", ()) if name == b"content-length"
    ]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0


async def _refuse(status: HTTPStatus, limit: Limit, send: Any) -> None:
    """Answer as RFC 9457 says: only scripts send so much, or so slowly."""
    detail = {
        TOO_LARGE: limit.too_large.format(bytes=limit.bytes),
        TOO_SLOW: f"The body did not arrive within {limit.seconds:g} seconds."
        " Send it again over a faster connection.",
    }[status]
    told: dict[str, Any] = {"type": "about:blank", "title": status.phrase}
    # SCIM writes the status as a text.
    shown = str(status.value) if limit is SCIM else status.value
    told |= {"status": shown, **limit.beside}
    headers = [
        (b"content-type", limit.media_type.encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    start = {"type": "http.response.start", "status": status.value, "headers": headers}
    await send(start)
    body = json.dumps(told | {"detail": detail}).encode()
    await send({"type": "http.response.body", "body": body})
