"""A Redis of the test's own, which it may kill, freeze and start again."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from redis import Redis as Client

from pbxsite.embedded import redis_server

LIMIT = 10.0  # seconds to start or to end


class Redis:
    def __init__(self, directory: Path) -> None:
        self.socket = directory / "redis.sock"
        self.url = f"unix://{self.socket}"

    def start(self) -> None:
        self._process = subprocess.Popen(
            redis_server.command(self.socket), stdout=subprocess.DEVNULL
        )
        limit = time.monotonic() + LIMIT
        while not self.socket.exists():
            assert time.monotonic() < limit, "Redis did not start"
            time.sleep(0.05)

    def stop(self, how: signal.Signals) -> None:
        self._process.send_signal(how)
        if how is not signal.SIGSTOP:
            self._process.wait(LIMIT)
            self.socket.unlink(missing_ok=True)

    def clients(self) -> int:
        """Return how many are connected, besides the one that asks."""
        with Client.from_url(self.url) as own:
            return int(own.info("clients")["connected_clients"]) - 1

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        self._process.kill()
        self._process.wait(LIMIT)
