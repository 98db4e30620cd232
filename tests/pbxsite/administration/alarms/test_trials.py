"""The two buttons "Test" take the values on the screen, and so does the command."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client as Browser

from authconfig.models import AuthenticationSettings
from pbxsite.administration.alarms.models import AlarmMail
from tests.conftest import SettingsSetter
from tests.pbxsite.management.test_authconfig import Ran
from tests.support.settings_data import WEBHOOK_SECRET, posted
from tests.support.webhooks import Receiver, webhook_receiver

pytestmark = pytest.mark.django_db
PAGE = "/admin/authconfig/authenticationsettings/"


def tried(browser: Browser, what: str, **values: str) -> Any:
    return browser.post(f"{PAGE}test-alarm-{what}/", posted(**values)).json()


def test_a_webhook_is_tried_before_it_is_saved(admin: Browser) -> None:
    with webhook_receiver() as receiver:
        answer = tried(
            admin,
            "webhook",
            alarm_webhook_url=receiver.url,
            alarm_webhook_secret=WEBHOOK_SECRET,
        )

        assert answer["state"] == "accepted"
        assert [told["type"] for told in receiver.told()] == ["alarm.test"]
    assert AuthenticationSettings.load().alarm_webhook_url == ""


def test_a_stored_secret_serves_its_own_address_alone(
    admin: Browser, receiver: Receiver
) -> None:
    assert tried(admin, "webhook")["state"] == "accepted"

    other = f"{receiver.url}/other"
    answer = tried(admin, "webhook", alarm_webhook_url=other)

    assert set(answer["faults"]) == {"alarm_webhook_secret"}
    assert len(receiver.calls) == 1


@pytest.mark.parametrize(
    ("status", "words", "remedy"),
    [
        (401, "status 401", "does it know this secret"),
        (302, "redirected", "leads on to another address"),
    ],
)
def test_a_webhook_that_fails_says_what_to_do(
    admin: Browser, receiver: Receiver, status: int, words: str, remedy: str
) -> None:
    receiver.status = status

    answer = tried(admin, "webhook")

    assert answer["state"] == "failed"
    assert words in answer["heading"]
    assert remedy in answer["text"]


def test_a_webhook_where_nobody_listens(
    admin: Browser, configure: SettingsSetter
) -> None:
    configure(
        alarm_webhook_url="http://127.0.0.1:1/", alarm_webhook_secret=WEBHOOK_SECRET
    )

    answer = tried(admin, "webhook")

    assert answer["text"] == (
        "Nobody listens there. Correct the port, or start the receiver."
    )


def test_a_test_goes_to_the_addresses_on_the_screen(
    admin: Browser, told: list[str]
) -> None:
    answer = tried(admin, "mail", alarm_recipients="new@example.com")

    assert answer["heading"].startswith("1 e-mail is queued.")
    [about] = AlarmMail.objects.all()
    assert about.mail.recipient == "new@example.com"
    assert about.mail.user is None


def test_a_test_needs_addresses_and_an_account(admin: Browser) -> None:
    assert tried(admin, "mail") == {"faults": {"alarm_recipients": ["Enter it first."]}}

    answer = tried(admin, "mail", alarm_recipients="new@example.com")

    assert answer["state"] == "failed"
    assert answer["text"] == "Enter the e-mail account above and save it first."


def test_ten_tests_a_minute_are_enough(admin: Browser, receiver: Receiver) -> None:
    for _test in range(10):
        tried(admin, "webhook")

    assert "10 tests a minute" in tried(admin, "webhook")["message"]
    assert len(receiver.calls) == 10


def test_the_command_line_tests_both(told: list[str], receiver: Receiver) -> None:
    ran = Ran("test", "alarms")

    assert ran.status == 0
    assert "alarm_webhook_url: The webhook took the test." in ran.out
    assert "alarm_recipients: 2 e-mails are queued." in ran.out

    receiver.status = 500
    ran = Ran("test", "alarms")
    assert ran.status == 1
    assert "alarm_webhook_url: The webhook does not work: status 500" in ran.err


def test_the_command_line_says_that_nobody_is_told() -> None:
    ran = Ran("test", "alarms")

    assert ran.status == 1
    assert "alarm_recipients: Nobody is set." in ran.err
