"""What a run writes where somebody else has written since it looked."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from authconfig.sync.applying import Outcome, Writer, apply
from authconfig.sync.choices import Change, Reason, Source
from authconfig.sync.leases import LeaseLostError
from authconfig.sync.models import SyncedUser
from authconfig.sync.people import Step
from authconfig.users.models import PbxUser
from tests.conftest import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def synced(user: PbxUser) -> PbxUser:
    SyncedUser.objects.create(user=user, identity="1")
    return user


def new_number(user: PbxUser) -> Step:
    before, facts = {"number": user.number}, {"number": "41"}
    return Step(Change.CHANGED, "1", user.name, user.pk, before=before, facts=facts)


def reasons(outcome: Outcome) -> dict[str, Reason]:
    return {refusal.name: refusal.reason for refusal in outcome.refused}


MEANWHILE: dict[str, Callable[[PbxUser], object]] = {
    "got another number": lambda user: PbxUser.objects.update(number="7"),
    "was deleted": lambda user: user.delete(),
    "was taken from the directory": lambda user: SyncedUser.objects.all().delete(),
    "became another entry": lambda user: SyncedUser.objects.update(identity="2"),
}


@pytest.mark.parametrize("what", MEANWHILE)
def test_whom_somebody_changed_meanwhile_is_left_alone(
    what: str, synced: PbxUser
) -> None:
    step = new_number(synced)
    MEANWHILE[what](synced)

    outcome = apply([step], Writer(Source.DIRECTORY))

    assert reasons(outcome) == {"anna": Reason.AT_THE_SAME_TIME}
    assert not outcome.done
    assert not PbxUser.objects.filter(number="41").exists()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_change_that_is_about_to_be_made_is_waited_for(synced: PbxUser) -> None:
    step = new_number(synced)

    def write() -> Outcome:
        outcome = apply([step], Writer(Source.DIRECTORY))
        connection.close()
        return outcome

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            PbxUser.objects.update(number="7")
            writing = pool.submit(write)
            with pytest.raises(TimeoutError):
                writing.result(0.3)
        outcome = writing.result(10)

    assert reasons(outcome) == {"anna": Reason.AT_THE_SAME_TIME}
    assert PbxUser.objects.get().number == "7"


def test_what_nobody_else_changed_is_written(synced: PbxUser) -> None:
    PbxUser.objects.update(email="other@example.com")

    outcome = apply([new_number(synced)], Writer(Source.DIRECTORY))

    assert not outcome.refused
    after = PbxUser.objects.get()
    assert (after.number, after.email) == ("41", "other@example.com")


def test_whoever_may_not_write_any_more_writes_nothing() -> None:
    def lost() -> None:
        raise LeaseLostError

    step = Step(Change.ADDED, "1", "anna", facts={"name": "anna"})

    with pytest.raises(LeaseLostError):
        apply([step], Writer(Source.DIRECTORY, hold=lost))
    assert not PbxUser.objects.exists()


def test_nobody_becomes_two_entries(synced: PbxUser) -> None:
    step = Step(Change.CHANGED, "2", "anna", synced.pk, is_linked=True)

    outcome = apply([step], Writer(Source.DIRECTORY))

    assert reasons(outcome) == {"anna": Reason.AT_THE_SAME_TIME}
    assert SyncedUser.objects.get().identity == "1"


def test_one_whose_name_was_taken_meanwhile_keeps_no_other_back(user: PbxUser) -> None:
    steps = [
        Step(Change.ADDED, name, name, facts={"name": name})
        for name in ("anna", "bert", "clara")
    ]

    outcome = apply(steps, Writer(Source.DIRECTORY))

    assert [step.name for step in outcome.done] == ["bert", "clara"]
    assert reasons(outcome) == {"anna": Reason.AT_THE_SAME_TIME}
    assert SyncedUser.objects.count() == 2


def test_the_last_administrator_of_this_moment_stays(administrator: PbxUser) -> None:
    """When the run looked there was another one."""
    other = PbxUser.objects.create_user("bert", PASSWORD)
    for identity, user in (("1", administrator), ("2", other)):
        SyncedUser.objects.create(user=user, identity=identity)
    steps = [
        Step(Change.DEACTIVATED, "1", "admin", administrator.pk),
        Step(Change.DEACTIVATED, "2", "bert", other.pk),
    ]

    outcome = apply(steps, Writer(Source.DIRECTORY))

    assert reasons(outcome) == {"admin": Reason.LAST_ADMINISTRATOR}
    assert [step.name for step in outcome.done] == ["bert"]
    administrator.refresh_from_db()
    assert administrator.is_active
