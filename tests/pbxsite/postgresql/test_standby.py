"""A commit that waits for a standby, which is away, has an end."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from pbxsite.postgresql import patience
from pbxsite.postgresql.base import DatabaseWrapper
from tests.support.own_postgresql import Pool, own_postgresql

pytestmark = [pytest.mark.postgresql, pytest.mark.long]
SECONDS = 1
# The last one is the server's commit without its standby.
MOST = SECONDS + patience.AFTER_THE_SERVERS + patience.LOOKS_EVERY + 2
WAITS = {"synchronous_standby_names": "nobody", "synchronous_commit": "on"}


@pytest.fixture(params=[0, 2], ids=["alone", "pooled"])
def wrapper(
    request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker
) -> Iterator[DatabaseWrapper]:
    with own_postgresql(**WAITS) as server, django_db_blocker.unblock():
        pool = Pool(str(server.directory), size=request.param, query_seconds=SECONDS)
        wrapper = pool.wrapper()
        yield wrapper
        wrapper.close()
        wrapper.close_pool()


def test_a_statement_that_commits_by_itself_ends(wrapper: DatabaseWrapper) -> None:
    begun = time.monotonic()
    with wrapper.cursor() as cursor:
        cursor.execute("CREATE TABLE one (a integer)")

    assert SECONDS < time.monotonic() - begun < MOST


def test_a_transaction_ends(wrapper: DatabaseWrapper) -> None:
    wrapper.ensure_connection()
    wrapper.set_autocommit(False)
    with wrapper.cursor() as cursor:
        cursor.execute("CREATE TABLE two (a integer)")

    begun = time.monotonic()
    wrapper.commit()

    assert SECONDS < time.monotonic() - begun < MOST
    wrapper.set_autocommit(True)
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM two")
        assert cursor.fetchone() == (0,)


def test_a_small_limit_within_a_larger_one_holds(wrapper: DatabaseWrapper) -> None:
    wrapper.ensure_connection()
    begun = time.monotonic()
    with patience.patience.within(wrapper.connection, 0.5), wrapper.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.execute("CREATE TABLE three (a integer)")

    assert time.monotonic() - begun < SECONDS + patience.AFTER_THE_SERVERS


def test_what_is_quick_is_left_alone(wrapper: DatabaseWrapper) -> None:
    with wrapper.cursor() as cursor:
        for _ in range(3):
            cursor.execute("SELECT 1")
            time.sleep(SECONDS)

    assert not patience.patience._until
