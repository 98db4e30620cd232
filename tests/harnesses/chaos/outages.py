"""What happens to the database, to Redis and to a worker's clock, and its end."""

from __future__ import annotations

import os
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import psycopg
from django.apps import apps
from redis import Redis as Client

from tests.harnesses.chaos.fleet import Fleet
from tests.support.own_postgresql import OwnPostgreSQL
from tests.support.redis_servers import Redis

# So much of it is taken by a new cluster and the log of its transactions.
DISK_MEGABYTES = 400
CLUSTER = {"max_wal_size": "64MB", "min_wal_size": "32MB"}
CLOCK_SECONDS = 60


class Outage(ABC):
    # The driver asks the database nothing while one is on that holds it.
    holds_database = False

    @abstractmethod
    def begin(self) -> None: ...

    @abstractmethod
    def end(self) -> None: ...


class LockedDatabase(Outage):
    """A tool keeps everybody from writing; who reads is not kept."""

    holds_database = True

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def begin(self) -> None:
        self._connection = psycopg.connect(self._dsn)
        tables = sorted({model._meta.db_table for model in apps.get_models()})
        names = ", ".join(f'"{table}"' for table in tables)
        self._connection.execute(f"LOCK TABLE {names} IN EXCLUSIVE MODE")

    def end(self) -> None:
        self._connection.rollback()
        self._connection.close()


class FullDisk(Outage):
    """PostgreSQL's disk is full to the last byte; whoever made room starts it again."""

    holds_database = True

    def __init__(self, server: OwnPostgreSQL, disk: Path) -> None:
        self._server, self._ballast = server, disk / "ballast"

    def begin(self) -> None:
        with self._ballast.open("wb", buffering=0) as file:
            for size in (2**20, 2**12, 1):
                self._fill(partial(file.write, bytes(size)))

    @staticmethod
    def _fill(write: Callable[[], object]) -> None:
        try:
            while True:
                write()
        except OSError:
            return

    def end(self) -> None:
        self._ballast.unlink()
        if self._server.process and self._server.process.poll() is not None:
            self._server.start(**CLUSTER)


class RefusingRedis(Outage):
    """It is out of memory, and takes no writes."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def begin(self) -> None:
        self._ask("CONFIG", "SET", "maxmemory", "1")

    def end(self) -> None:
        self._ask("CONFIG", "SET", "maxmemory", "0")

    def _ask(self, *words: str) -> None:
        with Client.from_url(self._redis.url) as own:
            own.execute_command(*words)


class DemotedRedis(RefusingRedis):
    """It was made the replica of one that is not there."""

    def begin(self) -> None:
        self._ask("REPLICAOF", "127.0.0.1", "1")

    def end(self) -> None:
        self._ask("REPLICAOF", "NO", "ONE")


class WrongClock(Outage):
    """One worker is started anew, by a clock that is a minute fast or slow."""

    def __init__(self, fleet: Fleet, random: Random, sign: int) -> None:
        self._fleet, self._random = fleet, random
        self._ahead = sign * CLOCK_SECONDS

    def begin(self) -> None:
        self._name = self._random.choice(list(self._fleet.worker_names))
        self._fleet.start_anew(self._name, clock_ahead=self._ahead)

    def end(self) -> None:
        self._fleet.start_anew(self._name, clock_ahead=0)


def mount_small_disk(place: Path) -> bool:
    """Say whether this machine lets us have one."""
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs"]
    done = subprocess.run([*words, str(place)], capture_output=True, timeout=10)
    if os.geteuid() == 0:
        shutil.chown(place, "postgres")
    place.chmod(0o755)
    return done.returncode == 0


def unmount(place: Path) -> None:
    subprocess.run(["umount", str(place)], capture_output=True, timeout=10)
