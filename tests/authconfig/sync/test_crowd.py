"""Two thousand people of a real OpenLDAP, and what can go wrong with them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import ldap
import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from authconfig.choices import Event
from authconfig.models import current_rules
from authconfig.sync import leases, runs, schedule
from authconfig.sync.choices import RunState, Trigger
from authconfig.sync.directory import searches
from authconfig.sync.models import SyncedUser, SyncPlace, SyncRun
from authconfig.sync.tasks import sync_directory
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter
from tests.support.certificates import make_authority
from tests.support.crowds import CROWD, crowd, dn_of, name_of
from tests.support.directory import LIMITED, Directory, running_directory
from tests.verification.password_links.test_killed_worker import (
    running_worker,
    wait_until,
)
from verification.redis_access import wake_worker

COUNT = 2000
# Ten of them, where their number does not matter.
TEN = {"directory_sync_filter": "(cn=person0000*)"}


@pytest.fixture(scope="module")
def crowded() -> Iterator[Directory]:
    with running_directory(make_authority("Crowd CA")) as directory:
        directory.load(crowd(COUNT))
        yield directory


@pytest.fixture
def rules(crowded: Directory, configure: SettingsSetter) -> SettingsSetter:
    """Read the crowd; without TLS, whose certificates mind the clock."""

    def set_fields(**changes: Any) -> Any:
        values = {
            "netlogon_servers": f"127.0.0.1:{crowded.port}",
            "netlogon_security": "none",
            "directory_sync": True,
            "directory_sync_base": CROWD,
            "directory_sync_attributes": "name=sAMAccountName, long_name=displayName,"
            " email=mail, number=telephoneNumber /5(\\d{5})$/",
        }
        return configure(**crowded.settings(**(values | changes)))

    set_fields()
    return set_fields


def by_schedule() -> SyncRun:
    run = runs.ask_for(Trigger.SCHEDULE)
    runs.work(run)
    run.refresh_from_db()
    return run


def counts(run: SyncRun) -> dict[str, int]:
    names = ("added", "changed", "renamed", "deactivated", "reactivated", "refused")
    return {name: value for name in names if (value := getattr(run, name))}


@pytest.mark.django_db
@pytest.mark.usefixtures("rules")
def test_a_crowd_comes_changes_and_goes(
    crowded: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert counts(by_schedule()) == {"added": COUNT}
    someone = PbxUser.objects.get(name=name_of(7))
    assert (someone.long_name, someone.number) == ("Jürgen Öztürk 7", "00007")

    asked = _asked(monkeypatch)
    assert counts(by_schedule()) == {}
    assert {attributes for _filter, attributes in asked[:2]} == {("entryUUID",)}
    # All were loaded in one second, and are not read again for that.
    assert len(asked) == 3

    with crowded.as_root() as root:
        for number in range(50):
            root.modify_s(dn_of(number), [(ldap.MOD_REPLACE, "mail", b"new@x.example")])
        root.rename_s(dn_of(60), f"cn=other,{CROWD}".partition(",")[0])
    assert counts(by_schedule()) == {"changed": 50}

    with crowded.as_root() as root:
        root.rename_s(f"cn=other,{CROWD}", dn_of(60).partition(",")[0])
        for number in range(50):
            mail = f"{name_of(number)}@example.com".encode()
            root.modify_s(dn_of(number), [(ldap.MOD_REPLACE, "mail", mail)])
    assert counts(by_schedule()) == {"changed": 50}


def _asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[str, ...]]]:
    """Return what the directory is asked for from here on."""
    asked: list[tuple[str, tuple[str, ...]]] = []
    page = searches.Searches._page

    def note(self: Any, base: str, filter_: str, names: Any, paging: Any) -> Any:
        asked.append((filter_, tuple(names)))
        return page(self, base, filter_, names, paging)

    monkeypatch.setattr(searches.Searches, "_page", note)
    return asked


@pytest.mark.django_db
def test_a_connection_lost_on_page_seven_leaves_all_as_it_is(
    crowded: Directory, rules: SettingsSetter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searches, "PAGE_SIZE", 250)
    asked: list[int] = []
    page = searches.Searches._page

    def cut(self: Any, *words: Any) -> Any:
        asked.append(len(asked))
        if len(asked) == 7:
            crowded.stop()
        return page(self, *words)

    monkeypatch.setattr(searches.Searches, "_page", cut)
    try:
        run = by_schedule()
    finally:
        crowded.start()

    assert len(asked) == 7
    assert (run.state, run.fault) == (RunState.FAILED, "CLOSED")
    assert not PbxUser.objects.exists()


@pytest.mark.django_db
def test_a_size_limit_changes_nothing(rules: SettingsSetter) -> None:
    rules(**TEN)
    by_schedule()
    rules(netlogon_bind_dn=LIMITED, directory_sync_filter="(cn=person*)")

    run = by_schedule()

    assert (run.state, run.fault) == (RunState.FAILED, "SIZE_LIMIT")
    assert PbxUser.objects.filter(is_active=True).count() == 10


@pytest.mark.django_db
@pytest.mark.parametrize("days", [-30, 0.5])
def test_a_clock_that_is_wrong_hides_no_change(
    days: float, crowded: Directory, rules: SettingsSetter
) -> None:
    rules(**TEN)
    by_schedule()
    before = SyncPlace.objects.get().read_all_at

    with time_machine.travel(timezone.now() + timedelta(days=days)):
        crowded.change(dn_of(1), displayName="Another One")
        run = by_schedule()
    crowded.change(dn_of(1), displayName="Jürgen Öztürk 1")

    assert counts(run) == {"changed": 1}
    assert SyncPlace.objects.get().read_all_at == before


@pytest.mark.django_db
def test_an_account_that_ends_by_itself_is_noticed(
    crowded: Directory, rules: SettingsSetter
) -> None:
    rules(**TEN)
    ends_at = timezone.now() + timedelta(hours=1)
    crowded.change(dn_of(2), krbPrincipalExpiration=f"{ends_at:%Y%m%d%H%M%S}Z")
    by_schedule()

    with time_machine.travel(ends_at + timedelta(minutes=1)):
        run = by_schedule()
    crowded.change(dn_of(2), krbPrincipalExpiration=None)

    assert counts(run) == {"deactivated": 1}


@pytest.mark.django_db
def test_all_attributes_are_read_once_a_day(
    crowded: Directory, rules: SettingsSetter, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules(**TEN)
    # The entries of the last second are read again: only this one is of it.
    time.sleep(1.1)
    crowded.change(dn_of(2), description="changed later than the others")
    by_schedule()
    PbxUser.objects.filter(name=name_of(3)).update(email="changed@here.example")
    assert counts(by_schedule()) == {}

    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        assert counts(by_schedule()) == {"changed": 1}


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_schedulers_begin_one_run(rules: SettingsSetter) -> None:
    def sweep() -> None:
        schedule.run_due()
        connection.close()

    rules()
    threads = [threading.Thread(target=sweep) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert list(SyncRun.objects.values_list("state", "added")) == [("done", COUNT)]
    assert PbxUser.objects.count() == COUNT


@pytest.mark.long
@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_killing_a_worker_leaves_no_user_half_made(rules: SettingsSetter) -> None:
    rules(directory_sync=False)
    run = runs.ask_for(Trigger.PAGE)
    with running_worker() as worker:
        wake_worker(sync_directory)
        wait_until(SyncedUser.objects.exists)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait(10)
    assert 0 < PbxUser.objects.count() < COUNT, "not killed in between"
    _check_users(PbxUser.objects.count())

    assert runs.work(runs.ask_for(Trigger.COMMAND)) is None
    SyncRun.objects.filter(pk=run.pk).update(lease_until=timezone.now())
    again = runs.ask_for(Trigger.COMMAND)
    runs.work(again)

    run.refresh_from_db()
    assert (run.state, run.fault) == (RunState.FAILED, leases.DIED)
    _check_users(COUNT)


def _check_users(count: int) -> None:
    assert SyncedUser.objects.count() == count
    told = AuditEvent.objects.filter(event=Event.USER_CHANGED)
    assert told.values("user").distinct().count() == told.count() == count


@pytest.mark.django_db
def test_a_run_whose_lease_is_lost_writes_nothing_more(
    rules: SettingsSetter, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules(**TEN)
    run = runs.ask_for(Trigger.SCHEDULE)
    read = runs.read

    def slowly(*words: Any) -> Any:
        answer = read(*words)
        SyncRun.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        leases.end_dead_runs()
        return answer

    monkeypatch.setattr(runs, "read", slowly)
    runs.work(run)

    assert not PbxUser.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("minutes", "is_on", "count"), [(61, True, 2), (59, True, 1), (61, False, 1)]
)
def test_a_run_begins_when_it_is_due(
    minutes: int,
    is_on: bool,
    count: int,
    rules: SettingsSetter,
) -> None:
    rules(directory_sync=is_on, directory_sync_filter="(cn=person00001)")
    runs.ask_for(Trigger.PAGE)
    schedule.run_due()

    with time_machine.travel(timezone.now() + timedelta(minutes=minutes)):
        current_rules.forget()
        schedule.run_due()

    assert SyncRun.objects.filter(state=RunState.DONE).count() == count
