"""Who is read again though no entry says that it changed, from a real OpenLDAP."""

from __future__ import annotations

import pytest
from django.utils import timezone

from authconfig.choices import Event
from authconfig.sync import runs
from authconfig.sync.choices import Trigger
from authconfig.sync.directory import reading
from authconfig.sync.models import SyncedUser, SyncPlace, SyncRun
from authconfig.users.models import AuditEvent, PbxUser
from tests.authconfig.sync.conftest import OU
from tests.conftest import SettingsSetter
from tests.support.directory import GROUPS, Directory

pytestmark = pytest.mark.django_db
# Every entry has changed since the one, and none since the other.
LONG_AGO, LATER = "20260101000000Z", "20990101000000Z"
GROUP = f"cn=pbx,{GROUPS}"


def by_schedule(mark: str = LATER) -> dict[str, int]:
    """Run; unless told otherwise the next one finds no entry that changed."""
    run = runs.ask_for(Trigger.SCHEDULE)
    runs.work(run)
    run.refresh_from_db()
    assert not run.fault, (run.stage, run.fault, run.words)
    SyncPlace.objects.update(mark=mark)
    names = ("added", "changed", "renamed", "deactivated", "reactivated", "refused")
    return {name: value for name in names if (value := getattr(run, name))}


def test_nobody_else_is_read_and_nothing_is_told(five: list[str]) -> None:
    assert by_schedule() == {"added": 5}
    PbxUser.objects.update(email="changed@here.example")

    assert by_schedule() == {}
    assert AuditEvent.objects.filter(event=Event.DIRECTORY_SYNCED).count() == 1


def test_with_other_rules_everybody_is(
    five: list[str], netlogon: SettingsSetter
) -> None:
    by_schedule()
    netlogon(
        directory_sync_base=OU,
        directory_sync_attributes="name=sAMAccountName, number=telephoneNumber /.$/",
    )

    assert by_schedule() == {"changed": 5}


@pytest.mark.parametrize("most_single", [0, 1000])
def test_whoever_joins_the_group_is(
    most_single: int,
    people: Directory,
    five: list[str],
    netlogon: SettingsSetter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "MOST_SINGLE", most_single)
    people.forget(GROUP)
    people.add(GROUP, objectClass="groupOfNames", member=five[:2])
    netlogon(directory_sync_base=OU, directory_sync_group=GROUP)
    assert by_schedule() == {"added": 2}
    before = SyncPlace.objects.get().read_all_at

    people.change(GROUP, member=five[:3])

    assert by_schedule() == {"added": 1}
    read_all = SyncPlace.objects.get().read_all_at != before
    assert read_all is (most_single == 0)


def test_whoever_was_deactivated_is(people: Directory, five: list[str]) -> None:
    by_schedule(LONG_AGO)
    people.change(five[1], userAccountControl="514")
    assert by_schedule() == {"deactivated": 1}
    people.change(five[1], userAccountControl="512")

    assert by_schedule() == {"reactivated": 1}
    assert SyncedUser.objects.get(user__name="bert").removed_at is None
    assert by_schedule() == {}


def test_whoever_was_refused_is_until_nothing_is_in_the_way(
    people: Directory, five: list[str]
) -> None:
    by_schedule(LONG_AGO)
    local = PbxUser.objects.create_user("local")
    people.change(five[0], sAMAccountName="local")
    assert by_schedule() == {"refused": 1}
    assert by_schedule() == {"refused": 1}

    local.delete()

    assert by_schedule() == {"renamed": 1}
    assert not SyncedUser.objects.filter(look_again_at__isnull=False).exists()


def test_a_command_reads_everybody(five: list[str]) -> None:
    by_schedule()
    PbxUser.objects.update(email="changed@here.example")

    run = runs.ask_for(Trigger.COMMAND, allowed_removals=5)
    runs.work(run)

    run.refresh_from_db()
    assert run.changed == 5


def test_a_mark_of_another_directory_is_forgotten(five: list[str]) -> None:
    by_schedule()
    # Of Active Directory, which counts its changes.
    SyncPlace.objects.update(server="another one", mark="98765")
    runs.work(runs.ask_for(Trigger.SCHEDULE))

    assert SyncPlace.objects.get().mark.startswith(f"{timezone.now():%Y}")
    assert SyncRun.objects.filter(state="done").count() == 2
