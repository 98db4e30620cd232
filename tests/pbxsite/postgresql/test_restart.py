"""After a restart of PostgreSQL the first request gets its connection at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError
from pytest_django import DjangoDbBlocker

from tests.support.own_postgresql import OwnPostgreSQL, Pool

pytestmark = pytest.mark.postgresql
AT_ONCE = 0.5


@pytest.fixture
def pool(server: OwnPostgreSQL, django_db_blocker: DjangoDbBlocker) -> Iterator[Pool]:
    pool = Pool(str(server.directory), size=6)
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
