"""Proxies' connections to one process of the web server, on raw sockets.

Reads a cookie from each line until an empty one; each is a connection that is kept,
which asks again as soon as it has its answer. Writes a line of JSON: answers a second,
and the median and the 99th percentile of their milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from statistics import quantiles
from typing import cast

ANSWERED, END = b"HTTP/1.1 200", b"\r\n\r\n"
WARM_UP_SECONDS = 2.0


class Asker(asyncio.Protocol):
    def __init__(self, request: bytes, taken: list[tuple[float, float]]) -> None:
        self.request, self.taken = request, taken
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport = cast(asyncio.Transport, transport)
        self.ask()

    def ask(self) -> None:
        self.asked_at = self.loop.time()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        """The answers that are measured have no body."""
        self.received += data
        if not self.received.endswith(END):
            return
        if not self.received.startswith(ANSWERED):
            sys.exit(f"not answered with 200: {self.received!r}")
        now = self.loop.time()
        self.taken.append((now, now - self.asked_at))
        self.received = b""
        self.ask()


def request(path: str, cookie: str) -> bytes:
    """As a proxy asks on behalf of a browser."""
    lines = (
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Cookie: {cookie}",
        "X-Forwarded-Method: GET",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: pbx.example.com",
        "X-Forwarded-Uri: /chat/style.css",
        "Accept: text/css",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Firefox/130.0",
    )
    return "\r\n".join([*lines, "", ""]).encode()


async def measured(
    port: int, path: str, cookies: list[str], seconds: float
) -> dict[str, float]:
    loop, taken = asyncio.get_running_loop(), list[tuple[float, float]]()
    for cookie in cookies:
        asked = request(path, cookie)
        await loop.create_connection(lambda a=asked: Asker(a, taken), "127.0.0.1", port)  # type: ignore[misc]
    began = loop.time() + WARM_UP_SECONDS
    await asyncio.sleep(WARM_UP_SECONDS + seconds)
    times = [each for at, each in taken if at >= began]
    parts = quantiles(times, n=100)
    rate = len(times) / (loop.time() - began)
    return {"rate": rate, "p50": parts[49] * 1000, "p99": parts[98] * 1000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("seconds", type=float)
    options = parser.parse_args()
    cookies = [line.strip() for line in iter(sys.stdin.readline, "\n")]
    found = asyncio.run(measured(options.port, options.path, cookies, options.seconds))
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main()
