"""What migrations make of the rows that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from authconfig.users.models import PbxUser
from verification.sessions.models import KnownAddress

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]
APP = "signed_in_sessions"
NOW = timezone.now().replace(microsecond=0)
Migrate = Callable[[str], None]


@pytest.fixture
def migrate() -> Iterator[Migrate]:
    """Take the tables to a migration of this application, at the end to the last."""

    def to(name: str) -> None:
        executor = MigrationExecutor(connection)
        executor.migrate([(APP, name)])

    yield to
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def began(user: PbxUser, address: str, *, days_ago: float = 0, **data: Any) -> None:
    count = UserSession.objects.count()
    UserSession.objects.create(
        user=user,
        ip=address,
        session_key=f"session-{count}",
        last_seen_at=NOW - timedelta(days=days_ago),
        data=data,
    )


def known(user: PbxUser) -> set[tuple[Any, ...]]:
    columns = "kind", "address", "is_approved", "last_success_at"
    return set(KnownAddress.objects.filter(user=user).values_list(*columns))


def days_ago(days: float) -> Any:
    return NOW - timedelta(days=days)


def test_the_addresses_of_sessions_are_known_from_then_on(
    user: PbxUser, migrate: Migrate
) -> None:
    migrate("0003_known_addresses_and_failure_counts")
    began(user, "192.0.2.7", days_ago=3, kind="myapps", approver="")
    began(user, "192.0.2.7", days_ago=1, kind="myapps", approver="email")
    began(user, "192.0.2.7", days_ago=2, kind="mypbx", approver="")
    began(user, "::ffff:192.0.2.8", days_ago=4, kind="myapps", approver="factor")
    began(user, "2001:db8:1:2::3", days_ago=5, kind="myapps", approver="session")
    # Of an older release nobody knows the kind.
    began(user, "192.0.2.9")

    migrate("0004_know_addresses_of_sessions")

    assert known(user) == {
        ("myapps", "192.0.2.7", True, days_ago(1)),
        ("mypbx", "192.0.2.7", False, days_ago(2)),
        ("myapps", "192.0.2.8", True, days_ago(4)),
        ("myapps", "2001:db8:1:2::", True, days_ago(5)),
    }


def test_of_many_addresses_the_last_fifty_are_known(
    user: PbxUser, administrator: PbxUser, migrate: Migrate
) -> None:
    migrate("0003_known_addresses_and_failure_counts")
    for number in range(60):
        began(user, f"192.0.2.{number}", days_ago=number, kind="myapps", approver="")
    began(administrator, "192.0.2.1", days_ago=80, kind="myapps", approver="")

    migrate("0004_know_addresses_of_sessions")

    assert {row[1] for row in known(user)} == {f"192.0.2.{n}" for n in range(50)}
    assert known(administrator) == {("myapps", "192.0.2.1", False, days_ago(80))}


def test_what_is_known_already_stays_as_it_is(user: PbxUser, migrate: Migrate) -> None:
    migrate("0003_known_addresses_and_failure_counts")
    there = {"user": user, "kind": "myapps", "address": "192.0.2.7"}
    KnownAddress.objects.create(**there, last_success_at=NOW)
    began(user, "192.0.2.7", days_ago=1, kind="myapps", approver="email")

    migrate("0004_know_addresses_of_sessions")

    assert known(user) == {("myapps", "192.0.2.7", False, NOW)}
