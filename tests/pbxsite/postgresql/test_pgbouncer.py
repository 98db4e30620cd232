"""Behind PgBouncer, in both of the ways in which it gives out its connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from django.db import OperationalError, connections
from django.db.migrations.recorder import MigrationRecorder
from pytest_django import DjangoDbBlocker

from tests.support.own_postgresql import OwnPostgreSQL, Pool
from tests.support.pgbouncer import pgbouncer

# Alone on a machine, as seconds count.
pytestmark = [pytest.mark.postgresql, pytest.mark.long]
SLOW = "SELECT pg_sleep(3)"


@pytest.fixture(autouse=True)
def _unblocked(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


@contextmanager
def site_behind(
    server: OwnPostgreSQL, mode: str, *, size: int, pooler: str, seconds: int
) -> Iterator[Pool]:
    with pgbouncer(server, mode, size=2) as port:
        pool = Pool("127.0.0.1", port, size=size, query_seconds=seconds, pooler=pooler)
        yield pool
        pool.wrapper().close_pool()


@pytest.mark.parametrize("size", [0, 2])
def test_queries_have_a_limit_behind_a_pooler_of_sessions(
    server: OwnPostgreSQL, size: int
) -> None:
    with site_behind(server, "session", size=size, pooler="session", seconds=1) as pool:
        assert pool.ask() < 1
        with pytest.raises(OperationalError, match="statement timeout"):
            pool.ask(SLOW)
        assert pool.ask() < 1


def test_a_site_that_knows_of_no_pooler_is_told_why_it_cannot_connect(
    server: OwnPostgreSQL,
) -> None:
    with (
        site_behind(server, "session", size=0, pooler="none", seconds=1) as pool,
        pytest.raises(OperationalError, match="unsupported startup parameter"),
    ):
        pool.ask()


def test_long_results_are_read_to_the_end_behind_a_pooler_of_transactions(
    server: OwnPostgreSQL,
) -> None:
    with (
        site_behind(
            server, "transaction", size=0, pooler="transaction", seconds=0
        ) as pool,
        closing(pool.wrapper()) as one,
        closing(pool.wrapper()) as other,
    ):
        connections["own"] = one
        rows = MigrationRecorder(one)
        rows.ensure_schema()
        for number in range(9):
            rows.record_applied("own", f"{number}")
        read = rows.migration_qs.order_by("name").iterator(chunk_size=3)
        first = next(read)
        with other.cursor() as busy:
            # It takes the session that the first rows came from.
            busy.execute("BEGIN")
            rest = list(read)
            busy.execute("ROLLBACK")
        del connections["own"]

    assert [row.name for row in (first, *rest)] == list("012345678")


def test_many_requests_share_few_sessions(server: OwnPostgreSQL) -> None:
    with site_behind(
        server, "transaction", size=6, pooler="transaction", seconds=0
    ) as pool:
        pool.ask_at_once(6)
        assert max(pool.ask_at_once(30)) < 2
