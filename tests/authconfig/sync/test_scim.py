"""What becomes of what a provider says: nothing at first, and never too much."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import Event
from authconfig.sync import runs, schedule
from authconfig.sync.choices import Change, Reason, RunState, Source, Trigger
from authconfig.sync.models import ScimUser, SyncedUser, SyncRun
from authconfig.sync.present import note_deactivated_here
from authconfig.sync.runs import Report
from authconfig.sync.scim import carrying, told
from authconfig.sync.scim.told import Told
from authconfig.users.models import AuditEvent, PbxUser
from tests.support.scim import confirm


def say(
    user_name: str,
    external_id: str = "",
    /,
    *,
    active: bool = True,
    **more: Any,
) -> ScimUser:
    identity = external_id or f"id-{user_name}"
    return told.add(Told(user_name, identity, active, more))


def let_go(*rows: ScimUser) -> None:
    for row in rows:
        said = Told(row.user_name, row.external_id, False, row.resource)
        told.change(str(row.public_id), said)


def run(**wishes: Any) -> Report:
    wanted = runs.ask_for(Trigger.PAGE, source=Source.SCIM, **wishes)
    report = runs.work(wanted)
    assert report
    return report


def preview() -> tuple[Report, SyncRun]:
    report = run(is_preview=True)
    return report, SyncRun.objects.latest("pk")


def test_nothing_comes_of_it_before_the_first_run(db: None) -> None:
    say("anna", displayName="Anna Berg")
    say("gone", active=False)
    report, _seen = preview()
    assert report.names(Change.ADDED) == ["anna"]
    assert not PbxUser.objects.exists()


def test_the_first_run_is_confirmed(db: None) -> None:
    say("anna", displayName="Anna Berg")
    _report, seen = preview()
    run(preview=seen)
    anna = PbxUser.objects.get()
    assert (anna.name, anna.long_name, anna.synced.source) == (
        "anna",
        "Anna Berg",
        "scim",
    )
    assert ScimUser.objects.get().user == anna
    assert AuditEvent.objects.filter(event=Event.SCIM_SYNCED).count() == 1
    # From now on it counts at once.
    say("bert")
    assert PbxUser.objects.filter(name="bert").exists()


def test_what_comes_during_the_first_run_is_not_lost(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    say("anna")
    written = runs.Work._write

    def meanwhile(work: runs.Work, report: Report) -> None:
        say("late")
        written(work, report)

    monkeypatch.setattr(runs.Work, "_write", meanwhile)
    run()
    assert set(PbxUser.objects.values_list("name", flat=True)) == {"anna", "late"}


def test_local_users_are_linked_after_a_preview_alone(user: PbxUser) -> None:
    confirm()
    row = say("anna", displayName="Another Anna")
    row.refresh_from_db()
    assert row.reason == Reason.LOCAL_USER
    user.refresh_from_db()
    assert user.long_name == "Anna Berg"
    report, seen = preview()
    assert [step.is_linked for step in report.steps] == [True]
    run(preview=seen)
    user.refresh_from_db()
    row.refresh_from_db()
    assert (user.long_name, row.reason, row.user) == ("Another Anna", "", user)


def test_a_name_of_somebody_who_left_is_refused(db: None) -> None:
    confirm()
    first = say("anna", "first")
    told.delete(str(first.public_id))
    second = say("anna", "second")
    second.refresh_from_db()
    assert second.reason == Reason.FORMER_USER
    assert [u.is_active for u in PbxUser.objects.all()] == [False]


def test_a_refused_one_is_tried_again(user: PbxUser) -> None:
    confirm()
    row = say("anna")
    PbxUser.objects.filter(pk=user.pk).update(name="berg", name_key="berg")
    schedule.run_due()
    row.refresh_from_db()
    assert row.reason == ""
    assert row.user is not None
    assert row.user.name == "anna"


def test_those_who_wait_for_ever_keep_no_other_waiting(
    user: PbxUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "LOOKED_AT_AGAIN", 1)
    confirm()
    bert = PbxUser.objects.create_user("bert")
    say("anna")
    waiting = say("bert")
    bert.delete()
    looked_at = list[int]()
    carry_out = carrying.carry_out

    def count(rows: Sequence[ScimUser]) -> None:
        looked_at.append(len(rows))
        carry_out(rows)

    monkeypatch.setattr(carrying, "carry_out", count)
    # Each time one of both: that it is never the other happens to nobody.
    while len(looked_at) < 60 and not PbxUser.objects.filter(name="bert").exists():
        carrying.look_again()

    waiting.refresh_from_db()
    assert waiting.reason == ""
    assert set(looked_at) == {1}


def test_a_user_of_the_directory_stays_its_own(user: PbxUser) -> None:
    SyncedUser.objects.create(user=user, source=Source.DIRECTORY, identity="an-entry")
    confirm()
    row = say("anna")
    row.refresh_from_db()
    assert row.reason == Reason.NAME_TAKEN


class TestStop:
    @pytest.fixture
    def staff(self, db: None) -> list[ScimUser]:
        confirm()
        return [say(f"user{number:02}") for number in range(20)]

    def active(self) -> int:
        return PbxUser.objects.filter(is_active=True).count()

    def test_three_may_leave(self, staff: list[ScimUser]) -> None:
        let_go(*staff[:3])
        assert self.active() == 17

    def test_the_fourth_of_an_hour_waits(self, staff: list[ScimUser]) -> None:
        let_go(*staff[:10])
        assert self.active() == 17
        assert carrying.kept_back().count() == 7
        schedule.run_due()
        assert self.active() == 17

    @pytest.mark.parametrize(
        "facts", [{"is_preview": True}, {"state": RunState.FAILED}]
    )
    def test_a_run_that_confirms_nothing_begins_no_hour(
        self, facts: dict[str, Any], staff: list[ScimUser]
    ) -> None:
        let_go(*staff[:3])
        values = {"source": Source.SCIM, "trigger": Trigger.PAGE, "state": "done"}
        SyncRun.objects.create(**(values | {"ended_at": timezone.now()} | facts))
        let_go(staff[4])
        assert self.active() == 17

    def test_deleting_counts_too(self, staff: list[ScimUser]) -> None:
        for row in staff[:10]:
            told.delete(str(row.public_id))
        assert self.active() == 17

    def test_a_confirmation_lets_them_go(self, staff: list[ScimUser]) -> None:
        let_go(*staff[:10])
        report, _seen = preview()
        assert report.stopped
        assert len(report.kept) == 7
        run(allowed_removals=7)
        assert self.active() == 10
        assert SyncRun.objects.latest("pk").state == RunState.DONE
        # What was confirmed does not count against whoever leaves next.
        let_go(staff[11])
        assert self.active() == 9

    def test_a_few_go_when_the_hour_is_over(self, staff: list[ScimUser]) -> None:
        let_go(*staff[:5])
        assert self.active() == 17
        with time_machine.travel(timezone.now() + timedelta(minutes=61)):
            schedule.run_due()
        assert self.active() == 15

    def test_whoever_leaves_while_others_wait_waits_too(
        self, staff: list[ScimUser]
    ) -> None:
        let_go(*staff[:10])
        with time_machine.travel(timezone.now() + timedelta(minutes=61)):
            let_go(staff[11])
            assert self.active() == 17
            assert carrying.kept_back().count() == 8

    def test_the_share_is_of_those_who_were_there_before(
        self, staff: list[ScimUser]
    ) -> None:
        more = [say(f"more{number:02}") for number in range(20)]
        let_go(*more[:5])
        assert self.active() == 36

    def test_whoever_is_wanted_again_waits_no_more(self, staff: list[ScimUser]) -> None:
        let_go(*staff[:4])
        back = staff[3]
        told.change(str(back.public_id), Told(back.user_name, back.external_id))
        assert not carrying.kept_back().exists()
        assert self.active() == 17


def test_the_last_administrator_stays(administrator: PbxUser) -> None:
    row = say("admin")
    _report, seen = preview()
    run(preview=seen)
    let_go(row)
    administrator.refresh_from_db()
    row.refresh_from_db()
    assert administrator.is_active
    assert row.reason == Reason.LAST_ADMINISTRATOR
    # No stop is what keeps this one.
    assert not carrying.kept_back().exists()
    told.delete(str(row.public_id))
    administrator.refresh_from_db()
    assert administrator.is_active


def test_a_leavers_sessions_end_at_once(user: PbxUser, signed_in: Browser) -> None:
    row = say("anna")
    _report, seen = preview()
    run(preview=seen)
    browser = signed_in
    assert browser.get("/account/").status_code == 200
    let_go(row)
    assert browser.get("/account/").status_code == 302
    told.change(str(row.public_id), Told("anna", "id-anna"))
    user.refresh_from_db()
    assert user.is_active
    assert browser.get("/account/").status_code == 302


def test_whom_an_administrator_deactivated_stays_so(db: None) -> None:
    confirm()
    row = say("anna")
    anna = PbxUser.objects.get()
    PbxUser.objects.update(is_active=False)
    note_deactivated_here(anna)
    told.change(str(row.public_id), Told("anna", "id-anna", True, {"displayName": "A"}))
    anna.refresh_from_db()
    assert (anna.is_active, anna.long_name) == (False, "A")


@pytest.mark.parametrize(
    ("resource", "field", "value"),
    [
        ({"name": {"formatted": "Anna B"}}, "long_name", "Anna B"),
        ({"displayName": "A", "name": {"formatted": "Anna B"}}, "long_name", "A"),
        (
            {
                "emails": [
                    {"value": "home@example.com", "type": "home"},
                    {"value": "work@example.com", "type": "work"},
                ]
            },
            "email",
            "work@example.com",
        ),
        (
            {
                "emails": [
                    {"value": "work@example.com", "type": "work"},
                    {"value": "first@example.com", "primary": True},
                ]
            },
            "email",
            "first@example.com",
        ),
        ({"phoneNumbers": [{"value": "21", "type": "work"}]}, "number", "21"),
        ({"phoneNumbers": [{"value": "21", "type": "mobile"}]}, "number", ""),
        ({"locale": "de-DE"}, "language", "de"),
        ({"locale": "fr-FR"}, "language", ""),
    ],
)
def test_attributes(db: None, resource: dict[str, Any], field: str, value: str) -> None:
    confirm()
    say("anna", **resource)
    assert getattr(PbxUser.objects.get(), field) == value


def test_the_pattern_keeps_the_extension(configure: Any) -> None:
    configure(scim_attributes=r"name=userName, number=phoneNumbers.work /(\d{3})$/")
    confirm()
    numbers = [{"value": "+49 7031 73009-123", "type": "work"}]
    say("anna", displayName="not wanted", phoneNumbers=numbers)
    anna = PbxUser.objects.get()
    assert (anna.number, anna.long_name) == ("123", "")


def test_what_cannot_be_used_is_refused_by_name(db: None) -> None:
    confirm()
    row = say("anna", emails=[{"value": "no address"}])
    row.refresh_from_db()
    assert row.reason == Reason.INVALID
    assert row.detail.startswith("email “no address”: ")
    assert not PbxUser.objects.exists()


def test_nobody_without_an_external_id_is_one_who_was_deleted(db: None) -> None:
    first = told.add(Told("anna"))
    told.delete(str(first.public_id))
    assert told.add(Told("bert")).pk != first.pk
