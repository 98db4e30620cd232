"""Which run goes on, what is left of one that ended by accident, and for how long."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.utils import timezone

from authconfig.choices import Event
from authconfig.sync import leases, runs, schedule, tasks
from authconfig.sync.choices import RunState, Source, Trigger
from authconfig.sync.models import SyncPlace, SyncRun
from authconfig.sync.tasks import sync_directory
from authconfig.users.models import AuditEvent
from tests.conftest import SettingsSetter

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def run() -> SyncRun:
    return runs.ask_for(Trigger.PAGE)


def test_of_two_workers_one_takes_a_run(run: SyncRun) -> None:
    assert [leases.take(run), leases.take(run)] == [True, False]


def test_a_run_waits_for_one_that_lives_and_not_for_a_dead_one(run: SyncRun) -> None:
    assert leases.take(run)
    other = runs.ask_for(Trigger.COMMAND)

    with time_machine.travel(timezone.now() + leases.LEASE_TTL / 2):
        assert not leases.take(other)
    with time_machine.travel(timezone.now() + leases.LEASE_TTL * 2):
        assert leases.take(other)

    run.refresh_from_db()
    assert (run.state, run.fault) == (RunState.FAILED, leases.DIED)


def test_a_run_that_somebody_ended_is_not_done_after_all(run: SyncRun) -> None:
    leases.take(run)
    with time_machine.travel(timezone.now() + leases.LEASE_TTL * 2):
        leases.end_dead_runs()

    assert not leases.end(run, RunState.DONE)
    assert (run.state, run.fault) == (RunState.FAILED, leases.DIED)


def test_a_run_that_breaks_says_so_at_once(
    run: SyncRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_words: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(runs, "read", broken)

    with pytest.raises(RuntimeError):
        runs.work(run)

    run.refresh_from_db()
    assert (run.state, run.fault) == (RunState.FAILED, leases.BROKE)
    told = AuditEvent.objects.get(event=Event.DIRECTORY_SYNCED)
    assert told.detail == "failed, BROKE"


def test_a_worker_leaves_alone_what_a_command_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worked = list[str]()
    monkeypatch.setattr(runs, "work", lambda run: worked.append(run.trigger))
    runs.ask_for(Trigger.COMMAND)
    runs.ask_for(Trigger.PAGE)

    schedule.run_due()

    assert worked == [Trigger.PAGE]


def test_a_preview_delays_no_run(
    configure: SettingsSetter, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(directory_sync=True)
    monkeypatch.setattr(runs, "work", lambda run: None)
    runs.ask_for(Trigger.PAGE, is_preview=True)

    schedule.run_due()

    assert SyncRun.objects.filter(trigger=Trigger.SCHEDULE).count() == 1


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_of_two_schedulers_one_waits_and_sees_what_the_other_began(
    configure: SettingsSetter,
) -> None:
    configure(directory_sync=True)
    SyncPlace.objects.create(source=Source.DIRECTORY)

    def begin() -> None:
        schedule._begin_due()
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            SyncPlace.objects.select_for_update().get()
            other = pool.submit(begin)
            with pytest.raises(TimeoutError):
                other.result(0.3)
            runs.ask_for(Trigger.SCHEDULE)
        other.result(10)

    assert SyncRun.objects.count() == 1


def test_a_task_gives_way_to_logins_and_its_worker_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = list[int]()

    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    monkeypatch.setattr(schedule, "run_due", lambda: seen.append(priority()))
    before = priority()
    monkeypatch.setattr(tasks, "NICENESS", before + 1)
    sync_directory()

    assert seen == [before + 1]
    assert priority() == before


def test_a_task_whose_work_fails_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("no disk")

    monkeypatch.setattr(schedule, "run_due", broken)

    with pytest.raises(RuntimeError, match="no disk"):
        sync_directory()


def ended(**facts: Any) -> SyncRun:
    values = {"state": RunState.DONE, "trigger": Trigger.COMMAND, "is_preview": True}
    return SyncRun.objects.create(**(values | {"ended_at": timezone.now()} | facts))


@pytest.mark.parametrize(
    ("facts", "is_offered"),
    [
        ({}, True),
        ({"ended_at": timezone.now() - timedelta(minutes=61)}, False),
        ({"trigger": Trigger.PAGE}, False),
        ({"is_preview": False}, False),
        ({"state": RunState.FAILED}, False),
    ],
)
def test_a_command_confirms_what_it_has_just_shown(
    facts: dict[str, Any], *, is_offered: bool
) -> None:
    preview = ended(**facts)

    assert runs.last_preview() == (preview if is_offered else None)


def test_of_many_reports_the_oldest_go(
    run: SyncRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "KEPT_RUNS", 2)
    now = timezone.now()
    old = [ended(made_at=now - timedelta(hours=hours)) for hours in (3, 2, 1)]

    schedule.forget_old()

    assert set(SyncRun.objects.all()) == {run, *old[1:]}


@pytest.mark.parametrize(("days", "is_kept"), [(30, False), (0, True)])
def test_reports_go_with_the_audit_log(
    days: int, settings: Any, *, is_kept: bool
) -> None:
    settings.AUDIT_RETENTION_TTL = timedelta(days=days)
    ended(made_at=timezone.now() - timedelta(days=31))

    schedule.forget_old()

    assert SyncRun.objects.exists() is is_kept
