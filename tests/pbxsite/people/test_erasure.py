"""Nothing names a person who was erased, in no table, and what must stay stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from authconfig.choices import Event
from authconfig.models import AuthenticationSettings
from authconfig.users import audit
from authconfig.users.models import AuditEvent, PbxUser, SettingChange
from authconfig.users.pseudonyms import pseudonym_of
from pbxsite.people.erasure import erase, erase_name
from pbxsite.people.held import HELD
from tests.pbxsite.people.conftest import (
    ADMINISTRATORS,
    EMAIL,
    HERE,
    NAME,
    what_names_her,
)

pytestmark = pytest.mark.django_db


@pytest.mark.database
def test_each_table_that_may_hold_something_does(anna: PbxUser) -> None:
    assert [held.model for held in HELD if not held.rows(anna).exists()] == []


@pytest.mark.database
def test_nothing_in_any_table_names_her(anna: PbxUser) -> None:
    assert what_names_her()

    erase(anna, actor=None)

    assert what_names_her() == []
    assert not PbxUser.objects.filter(pk=anna.pk).exists()


def test_the_log_still_says_what_happened_and_which_events_were_one_persons(
    anna: PbxUser,
) -> None:
    before = list(AuditEvent.objects.order_by("pk").values_list("event", "at"))

    done = erase(anna, actor=None)

    events = AuditEvent.objects.order_by("pk")
    assert list(events.values_list("event", "at"))[: len(before)] == before
    logins = events.filter(event=Event.LOGIN)
    assert {event.user_name for event in logins} == {done.pseudonym}
    assert len({event.user_agent for event in logins}) == 1
    assert logins[0].detail == "email"
    assert events.filter(actor_name=done.pseudonym).count() == 1
    assert SettingChange.objects.filter(actor_name=done.pseudonym).count() == 2


def test_what_another_one_did_keeps_where_that_one_was(anna: PbxUser) -> None:
    erase(anna, actor=None)

    change = AuditEvent.objects.get(event=Event.USER_CHANGED)
    assert (change.address, change.user_agent) == ("198.51.100.5", "Firefox")
    assert change.detail == ""
    tested = AuditEvent.objects.get(event=Event.NETLOGON_TESTED)
    assert tested.detail == f"{pseudonym_of(NAME)}: rejected"


def test_who_erased_whom_is_recorded(anna: PbxUser, administrator: PbxUser) -> None:
    done = erase(anna, actor=administrator, origin=ADMINISTRATORS)

    event = AuditEvent.objects.get(event=Event.DATA_ERASED)
    assert (event.user_name, event.actor) == (done.pseudonym, administrator)
    assert event.address == "198.51.100.5"


def test_the_recordings_go(
    anna: PbxUser,
    files: list[Path],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    assert len(files) == 2

    with django_capture_on_commit_callbacks(execute=True):
        erase(anna, actor=None)

    assert not any(file.exists() for file in files)


def test_settings_that_hold_the_address_are_named(
    anna: PbxUser,
) -> None:
    AuthenticationSettings.load()
    AuthenticationSettings.objects.update(smtp_username=f" {EMAIL.upper()}")

    assert erase(anna, actor=None).settings == ("smtp_username",)


@pytest.mark.database
def test_others_stay_as_they_are(anna: PbxUser, user: PbxUser) -> None:
    audit.record(Event.LOGIN, user=user, origin=HERE, detail="email")

    erase(anna, actor=None)

    event = AuditEvent.objects.get(user=user)
    assert (event.user_name, event.address) == ("anna", "192.0.2.77")


def test_a_name_that_another_user_has_by_now_stays_theirs(anna: PbxUser) -> None:
    other = PbxUser.objects.create_user("xyzzy-before")
    theirs = audit.record(Event.LOGIN, user=other, origin=HERE)
    changed = SettingChange.objects.filter(actor_name="xyzzy-before")

    erase(anna, actor=None)

    theirs.refresh_from_db()
    assert (theirs.user_name, theirs.address) == ("xyzzy-before", "192.0.2.77")
    assert changed.count() == 1


def test_who_was_deleted_before_can_be_erased_by_name(anna: PbxUser) -> None:
    audit.keep_actors([anna])
    anna.delete()
    assert AuditEvent.objects.filter(actor_name=NAME).exists()

    done = erase_name(NAME.upper(), actor=None)

    assert done
    assert done.pseudonym == pseudonym_of(NAME)
    assert not AuditEvent.objects.filter(user_name=NAME).exists()
    assert not AuditEvent.objects.filter(actor_name=NAME).exists()
    assert not AuditEvent.objects.filter(address=HERE.address, actor=None).exclude(
        user_name="xyzzy-before"
    )
    assert not SettingChange.objects.filter(actor_name=NAME).exists()


def test_a_name_that_nobody_knows_is_erased_from_nothing(db: None) -> None:
    assert erase_name("nobody", actor=None) is None
    assert not AuditEvent.objects.exists()


def test_a_digest_is_the_same_for_all_spellings_and_differs_by_key(
    settings: Settings,
) -> None:
    before = pseudonym_of("Anna")
    assert pseudonym_of("ANNA") == before
    assert pseudonym_of("berta") != before

    settings.ENCRYPTION_KEYS = ["a newer key", *settings.ENCRYPTION_KEYS]

    assert pseudonym_of("anna") != before
