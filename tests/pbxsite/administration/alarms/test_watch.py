"""An alarm is told once when it has lasted, and once when it has stayed away."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from authconfig.choices import Event, Origin
from authconfig.users import audit
from authconfig.users.models import PbxUser
from pbxsite.administration.alarms import lookout, watch
from pbxsite.administration.alarms.choices import AlarmState
from pbxsite.administration.alarms.models import Alarm, AlarmMail, Call
from pbxsite.administration.alarms.present import findings
from pbxsite.administration.findings import AlarmKind, Finding
from tests.conftest import SettingsSetter
from tests.support.webhooks import Receiver
from verification import lookouts
from verification.mail.models import Heartbeat, OutgoingEmail
from verification.mail.operation import actions
from verification.mail.operation.actions import Operator

pytestmark = pytest.mark.django_db
DOWN = Finding(AlarmKind.SMTP, "mail.example does not answer.", "/admin/", "mail:25")
OTHER = Finding(AlarmKind.CONTROLLER, "dc1 does not answer.", "/admin/", "dc1")
START = timezone.now()


def look(seconds: int, *found: Finding) -> None:
    """Let the site find this, so many seconds after the beginning."""
    watch.note(found, START + timedelta(seconds=seconds))


def news() -> list[tuple[str, str]]:
    rows = AlarmMail.objects.order_by("pk")
    return list(rows.values_list("news", "mail__recipient"))


@pytest.mark.database
def test_what_lasts_a_minute_is_told_once(told: list[str]) -> None:
    look(0, DOWN)
    look(45, DOWN)
    assert not news()

    for seconds in (60, 75, 90):
        look(seconds, DOWN)

    assert news() == [("alarm.began", address) for address in told]


def test_what_comes_and_goes_makes_no_storm(told: list[str]) -> None:
    for seconds in range(0, 3600, 15):
        look(seconds, *([DOWN] if seconds % 120 < 90 else []))

    assert [state for state, _address in news()] == ["alarm.began"] * 2
    assert Alarm.objects.get().state == AlarmState.TOLD


def test_what_is_soon_over_is_told_to_nobody(told: list[str]) -> None:
    look(0, DOWN)
    look(30)
    look(75)
    look(90, DOWN)
    look(105, DOWN)

    assert not news()
    assert Alarm.objects.get().began_at == START + timedelta(seconds=90)


def test_the_end_is_told_once_it_has_stayed_away(told: list[str]) -> None:
    look(0, DOWN)
    look(60, DOWN)
    look(300)
    assert Alarm.objects.get().state == AlarmState.TOLD

    look(360)
    look(375)

    assert [state for state, _address in news()] == ["alarm.began"] * 2 + [
        "alarm.over"
    ] * 2
    alarm = Alarm.objects.get()
    assert alarm.over_at == START + timedelta(seconds=360)


def test_it_begins_anew_after_its_end(told: list[str]) -> None:
    for seconds in (0, 60):
        look(seconds, DOWN)
    look(360)
    for seconds in (400, 460):
        look(seconds, DOWN)

    assert [state for state, _address in news()][-2:] == ["alarm.began"] * 2
    assert Alarm.objects.count() == 2


def test_two_servers_are_two_alarms(told: list[str]) -> None:
    for seconds in (0, 60):
        look(seconds, DOWN, OTHER)

    assert len(news()) == 4


@pytest.mark.database
def test_of_many_who_look_one_tells(told: list[str]) -> None:
    look(0, DOWN)
    alarm = Alarm.objects.get()

    watch._begin(alarm)
    watch._begin(alarm)

    assert len(news()) == 2


@pytest.mark.database
def test_who_saw_it_last_keeps_it_open(told: list[str]) -> None:
    look(0, DOWN)
    look(60, DOWN)
    older = Alarm.objects.get()
    look(400, DOWN)

    watch._end(older, START + timedelta(seconds=401))

    assert Alarm.objects.get().state == AlarmState.TOLD


@pytest.mark.database
def test_an_alarm_is_open_once_in_the_database(db: None) -> None:
    look(0, DOWN)

    with pytest.raises(IntegrityError), transaction.atomic():
        Alarm.objects.create(kind=DOWN.kind, about=DOWN.about, sentence="", link="/")


def test_without_an_account_no_mail_is_queued(
    told: list[str], configure: SettingsSetter
) -> None:
    configure(smtp_server="")
    for seconds in (0, 60):
        look(seconds, DOWN)

    assert not OutgoingEmail.objects.exists()
    assert Alarm.objects.get().state == AlarmState.TOLD


def test_the_webhook_is_not_told_that_it_fails(receiver: Receiver) -> None:
    for seconds in (0, 60):
        look(seconds, DOWN, Finding(AlarmKind.WEBHOOK, "not reached", "/admin/"))

    assert [call.alarm.kind for call in Call.objects.all()] == [AlarmKind.SMTP]


def test_old_alarms_are_forgotten() -> None:
    long_ago = timezone.now() - timedelta(days=31)
    facts = {"kind": AlarmKind.SMTP, "sentence": "", "link": "/"}
    Alarm.objects.create(**facts, state=AlarmState.OVER, over_at=long_ago)
    Alarm.objects.create(**facts, began_at=long_ago)

    watch.forget_old()

    assert Alarm.objects.get().over_at is None


@pytest.mark.usefixtures("all_speak")
def test_a_healthy_site_has_none() -> None:
    assert findings() == []


@pytest.mark.usefixtures("all_speak")
def test_it_finds_what_is_wrong(administrator: PbxUser) -> None:
    actions.pause(Operator(administrator, Origin()))
    audit.record(Event.LOGIN_REJECTED, user=administrator)
    Heartbeat.objects.filter(kind="scheduler").delete()
    Heartbeat.objects.update(started_at=timezone.now() - timedelta(minutes=2))

    found = {each.kind: each for each in findings()}

    assert set(found) == {AlarmKind.PAUSED, AlarmKind.SCHEDULER, AlarmKind.REJECTED}
    assert all(each.link.startswith("/admin/") for each in found.values())
    assert found[AlarmKind.REJECTED].link.endswith("?event__exact=login_rejected")


def test_nothing_ends_the_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[Finding]:
        raise ValueError("anything")

    monkeypatch.setattr(watch, "findings", fail)
    monkeypatch.setattr(lookouts.connections, "close_all", lambda: None)

    lookout.lookout.look()


def test_without_workers_whoever_looks_makes_the_calls_itself(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookouts.connections, "close_all", lambda: None)
    long_ago = timezone.now() - timedelta(minutes=2)
    lookout.lookout.look()
    Alarm.objects.update(began_at=long_ago)

    lookout.lookout.look()

    kinds = [told["data"]["kind"] for told in receiver.told()]
    assert kinds == ["worker"]
