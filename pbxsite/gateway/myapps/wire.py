"""One connection's messages, with their limits: JSON objects as text."""

from __future__ import annotations

import asyncio
import json
from typing import Any

LONGEST_BEFORE_LOGIN = 8 * 1024
LONGEST = 64 * 1024
# Whoever does not read for so long is gone.
WRITE_SECONDS = 10.0
# RFC 6455, 7.4.1, and the registry of IANA.
NORMAL, NOT_TEXT, NOT_ALLOWED, TOO_LONG = 1000, 1003, 1008, 1009
OUR_FAULT, TRY_AGAIN = 1011, 1013

Message = dict[str, Any]


class ClosedError(Exception):
    """The connection is over, or has to end with `code`."""

    def __init__(self, code: int = NORMAL, reason: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Wire:
    __slots__ = ("_receive", "_send", "is_open", "longest")

    def __init__(self, receive: Any, send: Any) -> None:
        self._receive, self._send = receive, send
        self.longest = LONGEST_BEFORE_LOGIN
        self.is_open = False

    async def accept(self) -> None:
        await self._write({"type": "websocket.accept"})
        self.is_open = True

    async def read(self) -> Message:
        """Return the next message; ClosedError at the end, and for what is none."""
        event = await self._receive()
        if event["type"] == "websocket.disconnect":
            self.is_open = False
            raise ClosedError
        text = event.get("text")
        if text is None:
            raise ClosedError(NOT_TEXT, "text only")
        if len(text) > self.longest or len(text.encode()) > self.longest:
            raise ClosedError(TOO_LONG, "too long")
        try:
            message = json.loads(text)
            if "\\u" in text:
                # Half a surrogate pair is no text, for the database neither.
                to_json(message).encode()
        except (ValueError, RecursionError) as error:
            raise ClosedError(NOT_ALLOWED, "not JSON") from error
        if not isinstance(message, dict) or not isinstance(message.get("mt"), str):
            raise ClosedError(NOT_ALLOWED, "no mt")
        return message

    async def write(self, message: Message) -> None:
        await self._write({"type": "websocket.send", "text": to_json(message)})

    async def close(self, code: int, reason: str) -> None:
        if self.is_open:
            self.is_open = False
            end = {"type": "websocket.close", "code": code, "reason": reason}
            await self._write(end)

    async def _write(self, event: Message) -> None:
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._send(event)
        except (TimeoutError, OSError) as error:
            self.is_open = False
            raise ClosedError from error


def to_json(value: Any) -> str:
    """Write as JSON.stringify does: without blanks, and nothing escaped needlessly."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
