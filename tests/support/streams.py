"""A browser's event stream, as the ASGI server would hand it to the site."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from asgiref.testing import ApplicationCommunicator
from django.db import connection
from django.test import Client as Browser

from pbxsite.asgi import application
from verification.approval.live import hub as hubs
from verification.approval.live.streams import EVENTS_PATH

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """Run what uses the database beside the streams, as another process would."""

    def run() -> T:
        try:
            return work()
        finally:
            connection.close()

    return await asyncio.to_thread(run)


def told(story: Coroutine[Any, Any, None]) -> None:
    async def within_limits() -> None:
        async with asyncio.timeout(30):
            await story

    asyncio.run(within_limits())


async def until(condition: Callable[[], bool], limit_seconds: float = 5) -> None:
    deadline = time.monotonic() + limit_seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def listening(hub: hubs.Hub) -> None:
    await until(lambda: not hub._alone.is_set())
    # From here on it is Redis that tells, and not the first poll.
    await asyncio.sleep(hubs.POLL_SECONDS_ALONE + 0.1)


class Stream:
    def __init__(
        self,
        browser: Browser,
        method: str = "GET",
        path: str = EVENTS_PATH,
        host: bytes = b"127.0.0.1",
    ) -> None:
        cookies = "; ".join(f"{m.key}={m.value}" for m in browser.cookies.values())
        self.headers: dict[bytes, bytes] = {}
        self.communicator = ApplicationCommunicator(
            application,
            {
                "type": "http",
                "method": method,
                "path": path,
                "query_string": b"",
                "headers": [(b"host", host), (b"cookie", cookies.encode())],
            },
        )

    async def open(self) -> int:
        await self.communicator.send_input({"type": "http.request"})
        start = await self.communicator.receive_output(timeout=5)
        self.headers = dict(start["headers"])
        status: int = start["status"]
        return status

    async def read(self, limit_seconds: float = 2) -> str:
        """Return the next piece of the body; empty when the stream is at its end."""
        piece = await self.communicator.receive_output(timeout=limit_seconds)
        text: str = piece["body"].decode()
        assert bool(text) == piece["more_body"]
        return text

    async def is_silent(self, seconds: float) -> bool:
        silent: bool = await self.communicator.receive_nothing(timeout=seconds)
        return silent

    async def leave(self) -> None:
        await self.communicator.send_input({"type": "http.disconnect"})
        await self.communicator.wait(timeout=5)
