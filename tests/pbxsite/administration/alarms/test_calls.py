"""The webhook gets signed JSON, in order, tried again, and given up after a day."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from pbxsite.administration.alarms import calls
from pbxsite.administration.alarms.choices import News
from pbxsite.administration.alarms.models import Alarm, Call
from pbxsite.administration.alarms.present import untold
from pbxsite.administration.findings import AlarmKind
from pbxsite.celery import app
from tests.conftest import SettingsSetter
from tests.support.webhooks import Receiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def alarm(receiver: Receiver) -> Alarm:
    alarm = Alarm.objects.create(
        kind=AlarmKind.SMTP, about="mail:25", sentence="Größe: 3", link="/admin/"
    )
    calls.tell(alarm, News.BEGAN)
    return alarm


def test_it_says_what_is_wrong_and_who_says_so(
    alarm: Alarm, receiver: Receiver
) -> None:
    calls.deliver_due()
    calls.deliver_due()

    [told] = receiver.told()
    assert told["type"] == "alarm.began"
    assert told["data"] == {
        "site": "http://127.0.0.1:8000",
        "site_name": "PBX",
        "id": alarm.public_id.hex,
        "kind": "smtp",
        "about": "mail:25",
        "sentence": "Größe: 3",
        "began_at": f"{alarm.began_at:%Y-%m-%dT%H:%M:%SZ}",
        "over_at": None,
        "link": "http://127.0.0.1:8000/admin/",
    }
    [(headers, _body)] = receiver.calls
    assert headers["content-type"] == "application/json"
    assert not Call.objects.exists()


def test_it_signs_as_the_standard_does() -> None:
    # The known answer was made by the standard's own library for Python, 1.0.0.
    with time_machine.travel(1731705121, tick=False):
        headers = calls.signed(
            "whsec_plJ3nmyCDGBKInavdOK15jsl",
            "msg_loFOjxBNrRLzqYUf",
            '{"event_type":"ping","data":{"success":true}}',
        )

    assert headers["webhook-timestamp"] == "1731705121"
    assert (
        headers["webhook-signature"]
        == "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="
    )


@pytest.mark.parametrize("status", [500, 404, 302, 410])
def test_a_call_that_fails_is_made_again_as_the_same(
    alarm: Alarm, receiver: Receiver, status: int
) -> None:
    receiver.status = status
    calls.deliver_due()
    calls.deliver_due()
    assert len(receiver.calls) == 1
    [found] = untold()
    assert found.kind == AlarmKind.WEBHOOK

    receiver.status = 200
    with time_machine.travel(timezone.now() + timedelta(seconds=6)):
        calls.deliver_due()

    assert len(receiver.told()) == 2
    first, second = (headers["webhook-id"] for headers, _body in receiver.calls)
    assert first == second
    assert untold() == []


def test_the_waits_grow_to_an_hour(alarm: Alarm, receiver: Receiver) -> None:
    receiver.status = 500
    waits = []
    for _try in range(12):
        Call.objects.update(due_at=timezone.now())
        calls.deliver_due()
        wait = Call.objects.get().due_at - timezone.now()
        waits.append(round(wait.total_seconds(), -1))

    assert waits[0] < waits[4] < waits[8] <= 3600
    assert waits[-1] == 3600


@pytest.mark.database
def test_a_later_call_waits_for_the_earlier_one(
    alarm: Alarm, receiver: Receiver
) -> None:
    receiver.status = 500
    calls.deliver_due()
    calls.tell(alarm, News.OVER)
    receiver.status = 200

    calls.deliver_due()
    assert len(receiver.calls) == 1

    Call.objects.update(due_at=timezone.now())
    calls.deliver_due()
    assert [told["type"] for told in receiver.told()][1:] == [
        "alarm.began",
        "alarm.over",
    ]


def test_it_is_given_up_after_a_day(alarm: Alarm, receiver: Receiver) -> None:
    receiver.status = 500
    old = timezone.now() - timedelta(days=1, minutes=1)
    Call.objects.update(created_at=old)

    calls.deliver_due()

    assert not Call.objects.exists()


@pytest.mark.database
def test_a_call_that_another_worker_has_is_left_alone(
    alarm: Alarm, receiver: Receiver
) -> None:
    assert calls._claim()
    assert calls._claim() is None

    with time_machine.travel(timezone.now() + calls.LEASE_TTL):
        assert calls._claim()


def test_a_receiver_that_is_slow_is_not_waited_for(
    alarm: Alarm, receiver: Receiver, settings: Settings
) -> None:
    settings.OAUTH2_TIMEOUT = 0.2
    receiver.seconds = 0.5

    calls.deliver_due()

    assert Call.objects.get().fault.startswith("timeout")


def test_without_its_secret_nothing_is_sent(
    alarm: Alarm, receiver: Receiver, configure: SettingsSetter
) -> None:
    configure(alarm_webhook_url="", alarm_webhook_secret="")
    calls.deliver_due()
    assert not Call.objects.exists()

    rules = configure(alarm_webhook_url=receiver.url, alarm_webhook_secret=" ")
    assert calls.post(rules, alarm.public_id, "{}").fault == "no secret to sign with"
    assert not receiver.calls


def test_the_scheduler_sweeps() -> None:
    entry = app.conf.beat_schedule["make-calls"]

    assert entry["task"] == calls.make_calls.name
