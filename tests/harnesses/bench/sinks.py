"""Postfix's `smtp-sink` takes every mail, at once or as if it were far away."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import create_connection
from typing import Any

from tests.support.site import free_port

LIMIT_SECONDS = 60
CHUNK = 65536


@contextmanager
def sink(*, reply_seconds: float = 0.0) -> Iterator[int]:
    """Run one and yield its port; each reply is on its way for `reply_seconds`."""
    port = free_port()
    user = [] if os.geteuid() else ["-u", "nobody"]
    command = ["/usr/sbin/smtp-sink", *user, f"127.0.0.1:{port}", "1000"]
    with _running(command, port):
        if not reply_seconds:
            yield port
            return
        door = free_port()
        words = [sys.executable, "-m", "tests.harnesses.bench.sinks"]
        with _running([*words, str(door), str(port), str(reply_seconds)], door):
            yield door


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command)
    try:
        await_server(process, port)
        yield
    finally:
        process.terminate()
        process.wait(LIMIT_SECONDS)


def await_server(process: subprocess.Popen[Any], port: int) -> None:
    limit = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < limit and process.poll() is None:
        with suppress(OSError), create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"nothing answers on port {port}")


async def delay(door: int, port: int, seconds: float) -> None:
    """Pass everything on at once, and what the server says after a pause."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            _pass_on(reader, server_writer, 0.0),
            _pass_on(server_reader, writer, seconds),
        )

    server = await asyncio.start_server(serve, "127.0.0.1", door)
    await server.serve_forever()


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float
) -> None:
    loop = asyncio.get_running_loop()
    with suppress(ConnectionError):
        while chunk := await reader.read(CHUNK):
            if seconds:
                loop.call_later(seconds, writer.write, chunk)
            else:
                writer.write(chunk)
    loop.call_later(seconds, writer.close)


if __name__ == "__main__":
    asyncio.run(delay(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
