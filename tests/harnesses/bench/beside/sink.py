"""An SMTP server that takes every mail, and says how fast they came.

It reads lines of JSON, {"count": N, "pid": PID}. Once it took as many mails it writes
{"seconds", "cpu_seconds", "mails"}: from the first to the last of them, the time, what
the process PID used of the processor, and the mails themselves.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any, cast

from tests.harnesses.bench.usage import cpu_seconds

END = b"\r\n.\r\n"


@dataclass
class Tally:
    """What is waited for, and what has come of it."""

    count: int = 0
    pid: int = 0
    mails: list[bytes] = field(default_factory=list)
    began: tuple[float, float] = (0.0, 0.0)

    def expect(self, count: int, pid: int) -> None:
        self.count, self.pid, self.mails = count, pid, []

    def take(self, mail: bytes) -> None:
        self.mails.append(mail)
        if len(self.mails) == 1:
            self.began = self._now()
        if len(self.mails) == self.count:
            self._tell()

    def _now(self) -> tuple[float, float]:
        return time.monotonic(), cpu_seconds(self.pid) if self.pid else 0.0

    def _tell(self) -> None:
        seconds, cpu = (
            now - then for now, then in zip(self._now(), self.began, strict=True)
        )
        mails = [mail.decode("utf-8", "surrogateescape") for mail in self.mails]
        facts = {"seconds": seconds, "cpu_seconds": cpu, "mails": mails}
        print(json.dumps(facts), flush=True)  # noqa: T201


class Conversation(asyncio.Protocol):
    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.received = b""
        self.is_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.say("220 sink.test ESMTP")

    def say(self, *lines: str) -> None:
        self.transport.write("".join(f"{line}\r\n" for line in lines).encode())

    def data_received(self, data: bytes) -> None:
        self.received += data
        while self.step():
            pass

    def step(self) -> bool:
        """Take a whole line or mail, if there is one."""
        part, end, rest = self.received.partition(END if self.is_data else b"\r\n")
        if not end:
            return False
        self.received = rest
        if self.is_data:
            self.is_data = False
            self.tally.take(part)
            self.say("250 2.0.0 Taken over")
        else:
            self.answer(part[:4].upper())
        return True

    def answer(self, verb: bytes) -> None:
        if verb == b"EHLO":
            self.say("250-sink.test", "250 8BITMIME")
        elif verb == b"DATA":
            self.is_data = True
            self.say("354 Go on")
        elif verb == b"QUIT":
            self.say("221 Bye")
            self.transport.close()
        else:
            self.say("250 OK")


async def serve(port: int) -> None:
    loop, tally = asyncio.get_running_loop(), Tally()

    def read() -> None:
        line = sys.stdin.readline()
        if not line:
            sys.exit()
        asked: dict[str, Any] = json.loads(line)
        tally.expect(**asked)

    loop.add_reader(sys.stdin, read)
    server = await loop.create_server(lambda: Conversation(tally), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
