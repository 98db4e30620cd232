"""After a restart of PostgreSQL the first request gets its connection at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError
from pytest_django import DjangoDbBlocker

from pbxsite.conf.databases import databases
from pbxsite.postgresql.base import DatabaseWrapper
from tests.support.own_postgresql import OwnPostgreSQL, own_postgresql

pytestmark = pytest.mark.postgresql
AT_ONCE = 0.5


@pytest.fixture(scope="module")
def server() -> Iterator[OwnPostgreSQL]:
    with own_postgresql() as started:
        yield started


class Pool:
    """The connections of one process, which its threads take and give back."""

    def __init__(self, server: OwnPostgreSQL, size: int) -> None:
        place = {"ENGINE": "postgresql", "HOST": str(server.directory)}
        given = place | {"NAME": "postgres", "USER": "postgres"}
        made = databases(given, pool_size=size, query_seconds=0)["default"]
        unused = {"PASSWORD": "", "PORT": "", "TIME_ZONE": None}
        rest: dict[str, Any] = {"AUTOCOMMIT": True, "CONN_MAX_AGE": 0, "TEST": {}}
        self.settings = rest | unused | made

    def wrapper(self) -> DatabaseWrapper:
        return DatabaseWrapper(self.settings, "own")

    def ask(self) -> float:
        """Ask a thing as a request does, and return the seconds that it took."""
        begun = time.monotonic()
        wrapper = self.wrapper()
        try:
            with wrapper.cursor() as cursor:
                cursor.execute("SELECT 1")
                assert cursor.fetchone() == (1,)
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


@pytest.fixture
def pool(server: OwnPostgreSQL, django_db_blocker: DjangoDbBlocker) -> Iterator[Pool]:
    pool = Pool(server, 6)
    pool.settings["OPTIONS"]["pool"]["timeout"] = 2
    with django_db_blocker.unblock():
        pool.ask_at_once(6)
        yield pool
        pool.wrapper().close_pool()


def test_the_first_request_finds_a_connection_at_once(
    server: OwnPostgreSQL, pool: Pool
) -> None:
    for _ in range(3):
        server.restart()

        assert pool.ask() < AT_ONCE


def test_so_do_many_at_once(server: OwnPostgreSQL, pool: Pool) -> None:
    server.restart()

    assert max(pool.ask_at_once(20)) < AT_ONCE


def test_requests_in_an_outage_fail_and_delay_nobody_after_it(
    server: OwnPostgreSQL, pool: Pool
) -> None:
    server.stop()
    for _ in range(3):
        with pytest.raises(OperationalError):
            pool.ask()

    server.start()

    assert max(pool.ask_at_once(6)) < AT_ONCE


def test_who_waits_through_a_restart_goes_on_as_soon_as_it_ends(
    server: OwnPostgreSQL, pool: Pool
) -> None:
    server.stop()
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(pool.ask)
        time.sleep(1)
        server.start()
        back = time.monotonic()

        asked.result(5)

    assert time.monotonic() - back < AT_ONCE
