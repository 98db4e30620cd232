"""A Redis of the test's own, which it may kill, freeze and start again."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis as Client
from redis.exceptions import ConnectionError as NoAnswerError

from pbxsite.embedded import redis_server
from tests.support.certificates import Authority
from tests.support.site import free_port

LIMIT = 10.0  # seconds to start or to end
PASSWORD = "a-word-that-nobody-else-may-hear"


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


@contextmanager
def running_redis() -> Iterator[Redis]:
    """Yield one that answers; in a short path, for its socket's sake."""
    with tempfile.TemporaryDirectory(prefix="pbx-redis-", dir="/tmp") as directory:
        redis = Redis(Path(directory))
        redis.start()
        try:
            yield redis
        finally:
            redis.end()


@dataclass(frozen=True)
class TlsRedis:
    """The machine's own redis-server with TLS and a password."""

    port: int
    ca_file: Path
    socket: Path

    def url(self, query: str = "", host: str = "localhost") -> str:
        return f"rediss://:{PASSWORD}@{host}:{self.port}/0{query}"

    def said_passwords(self) -> int:
        """Return how often somebody logged in since this was last asked."""
        with Client(unix_socket_path=str(self.socket), password=PASSWORD) as own:
            found = own.info("commandstats")
            own.config_resetstat()
        calls = (found.get(f"cmdstat_{name}", {}) for name in ("auth", "hello"))
        # Its own login is one of them.
        return sum(int(each.get("calls", 0)) for each in calls) - 1

    @classmethod
    @contextmanager
    def running(
        cls, directory: Path, authority: Authority, *names: str
    ) -> Iterator[TlsRedis]:
        pem, ca_file = directory / "redis.pem", directory / "ca.pem"
        pem.write_text(authority.server_pem(*names))
        ca_file.write_text(authority.ca_pem)
        made = cls(free_port(), ca_file, directory / "redis.sock")
        options = {
            "port": "0",
            "tls-port": str(made.port),
            "bind": "127.0.0.1 ::1",
            "unixsocket": str(made.socket),
            "tls-cert-file": str(pem),
            "tls-key-file": str(pem),
            "tls-ca-cert-file": str(ca_file),
            "tls-auth-clients": "no",
            "requirepass": PASSWORD,
            "save": "",
        }
        words = [
            word for name, value in options.items() for word in (f"--{name}", value)
        ]
        process = subprocess.Popen(["redis-server", *words], stdout=subprocess.DEVNULL)
        try:
            made._await_answer()
            yield made
        finally:
            process.terminate()
            process.wait(LIMIT)

    def _await_answer(self) -> None:
        limit = time.monotonic() + LIMIT
        while True:
            try:
                self.said_passwords()
            except NoAnswerError:
                assert time.monotonic() < limit, "Redis did not start"
                time.sleep(0.05)
            else:
                return
