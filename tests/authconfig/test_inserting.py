"""Rows that are alike but for a few columns, written without working each out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from authconfig.choices import Event
from authconfig.inserting import AT_ONCE, insert_alike
from authconfig.sync.choices import Trigger
from authconfig.sync.models import SyncItem, SyncRun
from authconfig.users.models import AuditEvent, PbxUser

pytestmark = [pytest.mark.django_db, pytest.mark.database]
COLUMNS = ("user_id", "detail")


def test_each_row_has_its_own_values_and_all_the_same_others(user: PbxUser) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    rows = [(user.pk, "one % two"), (None, "'; --")]

    insert_alike(
        AuditEvent, COLUMNS, rows, event=Event.LOGIN, at=at, address="192.0.2.1"
    )

    found = AuditEvent.objects.order_by("pk").values_list(
        "user_id", "detail", "event", "at", "address", "actor_id", "actor_name"
    )
    assert list(found) == [(*row, "login", at, "192.0.2.1", None, "") for row in rows]


def test_none_are_too_many(user: PbxUser) -> None:
    count = 2 * AT_ONCE + 1
    rows = ((user.pk, str(number)) for number in range(count))

    insert_alike(AuditEvent, COLUMNS, rows, event=Event.LOGIN)

    found = AuditEvent.objects.order_by("pk").values_list("detail", flat=True)
    assert list(found) == [str(number) for number in range(count)]


def test_no_row_is_no_statement() -> None:
    insert_alike(AuditEvent, COLUMNS, [], event=Event.LOGIN)
    assert not AuditEvent.objects.exists()


def test_yes_and_no_are_kept() -> None:
    run = SyncRun.objects.create(trigger=Trigger.COMMAND)
    columns = ("name", "is_linked")
    rows = [("a", True), ("b", False)]

    insert_alike(SyncItem, columns, rows, run_id=run.pk, change="added")

    assert list(SyncItem.objects.order_by("pk").values_list(*columns)) == rows


def test_the_database_refuses_as_ever() -> None:
    run = SyncRun.objects.create(trigger=Trigger.COMMAND)
    rows = [("a", "added"), ("b", "nonsense")]
    refused = pytest.raises(IntegrityError, match="sync_item_change_is_known")
    with refused, transaction.atomic():
        insert_alike(SyncItem, ("name", "change"), rows, run_id=run.pk)
    assert not SyncItem.objects.exists()


@pytest.mark.postgresql
def test_nothing_is_cut_off(user: PbxUser) -> None:
    with pytest.raises(DatabaseError, match="too long"), transaction.atomic():
        insert_alike(AuditEvent, ("user_name",), [("x" * 151,)], event=Event.LOGIN)
