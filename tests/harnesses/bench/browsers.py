"""Many browsers that wait, on raw sockets and in a process of their own.

Reads lines "NUMBER SESSION" until an empty one. Writes "ready" once every browser was
told that its login waits, and from then on "NUMBER SECONDS" for each that is told of a
decision (seconds of the monotonic clock, which is one for the whole machine).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import cast

POLL_SECONDS = 1.0
OPENED_AT_ONCE = 100
PENDING, DECIDED = b"pending", b"accepted"


class Browser(asyncio.Protocol):
    """Follows its login's stream."""

    def __init__(self, number: int, request: bytes) -> None:
        self.number, self.request = number, request
        self.waits: asyncio.Future[None] = asyncio.Future()
        self.received = b""
        self.decided = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.ask()

    def ask(self) -> None:
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.received += data
        if PENDING in self.received and not self.waits.done():
            self.waits.set_result(None)
        if DECIDED in self.received and not self.decided:
            self.decided = True
            print(self.number, asyncio.get_running_loop().time(), flush=True)  # noqa: T201

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.decided:
            sys.exit(f"browser {self.number} lost its connection: {self.received!r}")


class PollingBrowser(Browser):
    """Asks once a second, or as soon as it has its answer where that takes longer."""

    def ask(self) -> None:
        self.asked_at = asyncio.get_running_loop().time()
        self.received = b""
        super().ask()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.received.endswith(b"}") and not self.decided:
            asyncio.get_running_loop().call_at(self.asked_at + POLL_SECONDS, self.ask)


def request(path: str, session: str) -> bytes:
    lines = (f"GET {path} HTTP/1.1", "Host: 127.0.0.1", f"Cookie: {session}")
    return "\r\n".join([*lines, "", ""]).encode()


async def wait(kind: type[Browser], port: int, path: str, sessions: list[str]) -> None:
    loop, gate = asyncio.get_running_loop(), asyncio.Semaphore(OPENED_AT_ONCE)

    async def open_one(number: int, session: str) -> None:
        async with gate:
            browser = kind(number, request(path, session))
            await loop.create_connection(lambda: browser, "127.0.0.1", port)
            await browser.waits

    async with asyncio.TaskGroup() as group:
        for line in sessions:
            number, session = line.split()
            group.create_task(open_one(int(number), session))
    print("ready", flush=True)  # noqa: T201
    # Whoever started this process ends it.
    await asyncio.Future()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--poll", action="store_true")
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    options = parser.parse_args()
    kind = PollingBrowser if options.poll else Browser
    sessions = list(iter(sys.stdin.readline, "\n"))
    asyncio.run(wait(kind, options.port, options.path, sessions))


if __name__ == "__main__":
    main()
