"""A machine whose clock is wrong takes nobody's lease and delays nobody's mail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.db import OperationalError, connection
from django.utils import timezone

from authconfig.network import database_clock, database_now
from authconfig.sync import leases, runs
from authconfig.sync.choices import RunState, Trigger
from authconfig.users.models import PbxUser
from pbxsite.administration.findings import AlarmKind
from pbxsite.administration.queue.report import findings_of_mail
from verification.mail import claims
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.mail.operation import heartbeat
from verification.mail.queue import enqueue
from verification.sessions.passwords import PASSWORD_NOTICE

pytestmark = [pytest.mark.django_db, pytest.mark.database, pytest.mark.postgresql]
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(database_clock, "is_asked", True)
    yield
    database_clock.__init__()  # type: ignore[misc]  # as a process that begins
    database_clock.is_asked = False


def queue(user: PbxUser) -> OutgoingEmail:
    later = timezone.now() + timedelta(days=1)
    return enqueue(PASSWORD_NOTICE, user, language="en", expires_at=later)


@pytest.mark.parametrize("wrong", [MINUTE, -MINUTE])
def test_time_is_the_databases_whatever_this_clock_says(wrong: timedelta) -> None:
    right = timezone.now()
    with time_machine.travel(right + wrong):
        assert abs(database_now() - right) < timedelta(seconds=2)


def test_a_worker_that_is_ahead_takes_over_no_living_lease(user: PbxUser) -> None:
    queue(user)
    assert claims.claim(1)

    with time_machine.travel(timezone.now() + MINUTE):
        database_clock.compare()

        assert claims.requeue_abandoned() == 0
    assert OutgoingEmail.objects.get().state == MailState.SENDING


def test_a_worker_that_is_behind_holds_its_mails_as_long_as_others(
    user: PbxUser,
) -> None:
    queue(user)
    with time_machine.travel(timezone.now() - MINUTE):
        database_clock.compare()

        assert claims.claim(1), "and sends what is due now"

    database_clock.compare()
    assert claims.requeue_abandoned() == 0


def test_a_worker_that_is_ahead_ends_no_living_run() -> None:
    run = runs.ask_for(Trigger.PAGE)
    assert leases.take(run)

    with time_machine.travel(timezone.now() + 2 * leases.LEASE_TTL):
        database_clock.compare()
        leases.end_dead_runs()

    run.refresh_from_db()
    assert run.state == RunState.RUNNING


def test_a_web_server_that_is_ahead_delays_no_mail(user: PbxUser) -> None:
    with time_machine.travel(timezone.now() + MINUTE):
        queue(user)
    database_clock.compare()

    assert claims.claim(1)


def test_operators_are_told_whose_clock_is_wrong() -> None:
    heartbeat.begin_worker("one@host", slots=1)
    assert AlarmKind.CLOCK not in {each.kind for each in findings_of_mail()}

    with time_machine.travel(timezone.now() - MINUTE):
        database_clock.compare()
        heartbeat.begin_worker("slow@host", slots=1)
    with time_machine.travel(timezone.now() + MINUTE):
        database_clock.compare()
        heartbeat.beat_web("fast")

    found = [each for each in findings_of_mail() if each.kind == AlarmKind.CLOCK]
    slow, fast = sorted(each.sentence for each in found)
    assert re.match("The clock of “slow@host” is (59|60|61) seconds slow", slow)
    assert re.match("The clock of “web@fast” is (59|60|61) seconds fast", fast)


def test_a_clock_that_cannot_be_compared_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away() -> None:
        raise OperationalError("away")

    monkeypatch.setattr(connection, "cursor", away)

    assert abs(database_now() - timezone.now()) < timedelta(seconds=2)
