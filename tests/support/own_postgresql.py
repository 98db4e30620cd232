"""A PostgreSQL of a test's own, to be stopped, started and changed as it likes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from pbxsite.conf.databases import databases
from pbxsite.postgresql.base import DatabaseWrapper
from tests.support.services import (
    POSTGRESQL_OPTIONS,
    START_LIMIT_SECONDS,
    as_server_user,
    postgresql_binary,
)


class OwnPostgreSQL:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cluster = directory / "cluster"
        self.process: subprocess.Popen[bytes] | None = None
        names = ("-E", "UTF8", "--locale=C.UTF-8")
        self._run("initdb", "-U", "postgres", "-A", "trust", "--no-sync", *names)

    @property
    def dsn(self) -> str:
        return f"host={self.directory} user=postgres dbname=postgres"

    @property
    def url(self) -> str:
        return f"postgres://postgres@/{self.directory}/postgres"

    def start(self, **settings: str) -> None:
        given = POSTGRESQL_OPTIONS | {"unix_socket_directories": str(self.directory)}
        words = [f"-c{name}={value}" for name, value in (given | settings).items()]
        server = [postgresql_binary("postgres"), "-D", str(self.cluster), *words]
        self.process = subprocess.Popen(
            [*as_server_user(), *server], cwd=self.directory, stderr=subprocess.DEVNULL
        )
        limit = time.monotonic() + START_LIMIT_SECONDS
        while not self._answers():
            assert time.monotonic() < limit
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.dsn).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """End it at once, as a restart of the service does."""
        if self.process:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(10)
            self.process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def _run(self, name: str, *words: str) -> None:
        command = [postgresql_binary(name), "-D", str(self.cluster), *words]
        subprocess.run(
            [*as_server_user(), *command],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.directory,
        )


class Pool:
    """The connections of one process, which its threads take and give back."""

    def __init__(
        self,
        host: str,
        port: int | str = "",
        *,
        size: int = 0,
        query_seconds: int = 0,
        pooler: str = "none",
    ) -> None:
        place = {"ENGINE": "postgresql", "HOST": host, "PORT": port}
        given = place | {"NAME": "postgres", "USER": "postgres"}
        made = databases(
            given, pool_size=size, query_seconds=query_seconds, pooler=pooler
        )["default"]
        unused = {"PASSWORD": "", "TIME_ZONE": None}
        rest: dict[str, Any] = {"AUTOCOMMIT": True, "CONN_MAX_AGE": 0, "TEST": {}}
        self.settings = rest | unused | made

    def wrapper(self) -> DatabaseWrapper:
        return DatabaseWrapper(self.settings, "own")

    def ask(self, query: str = "SELECT 1") -> float:
        """Ask a thing as a request does, and return the seconds that it took."""
        begun = time.monotonic()
        wrapper = self.wrapper()
        try:
            with wrapper.cursor() as cursor:
                cursor.execute(query)
                assert cursor.fetchone()
        finally:
            wrapper.close()
        return time.monotonic() - begun

    def ask_at_once(self, count: int) -> list[float]:
        together = threading.Barrier(count)

        def ask() -> float:
            together.wait()
            return self.ask()

        with ThreadPoolExecutor(count) as threads:
            asked = [threads.submit(ask) for _ in range(count)]
            return [each.result() for each in asked]


@contextmanager
def own_postgresql(**settings: str) -> Iterator[OwnPostgreSQL]:
    """Yield one that answers; in a short path, for its socket's sake."""
    directory = Path(tempfile.mkdtemp(prefix="pbx-db-", dir="/tmp"))
    directory.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(directory, "postgres")
    server = OwnPostgreSQL(directory)
    try:
        server.start(**settings)
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
