"""The waiting page tells what became of its mail, and what helps."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client as Browser
from django.utils import timezone

from tests.conftest import SettingsSetter, Starter
from tests.support.html import Page
from tests.support.smtp_servers import Server
from verification.mail import sending
from verification.mail.models import OutgoingEmail, SendingPause

pytestmark = pytest.mark.django_db
ADMINISTRATOR = "the administrator of your telephone system"


@pytest.fixture
def refusing(server: Server, mail: OutgoingEmail, configure: SettingsSetter) -> Server:
    """The server that the mail goes to; it refuses what a test tells it to."""
    configure(smtp_port=server.port, smtp_server="127.0.0.1")
    return server


def news(browser: Browser) -> str:
    page = browser.get("/login/waiting/").content.decode()
    return Page(page).text(id="mail-state")


def later(seconds: float) -> time_machine.travel:
    return time_machine.travel(timezone.now() + timedelta(seconds=seconds))


def test_a_fresh_mail_is_on_its_way(browser: Browser, mail: OutgoingEmail) -> None:
    assert "is on its way" in news(browser)


@pytest.mark.parametrize("is_paused", [True, False], ids=["paused", "no worker"])
def test_a_mail_that_nobody_takes_up_is_delayed_after_ten_seconds(
    browser: Browser, mail: OutgoingEmail, is_paused: bool
) -> None:
    if is_paused:
        SendingPause.objects.create()

    with later(11):
        shown = news(browser)

    assert "The e-mail is delayed: it has not been sent yet." in shown
    assert ADMINISTRATOR in shown
    assert "on its way" not in shown
    assert "Send again" not in shown


def test_a_mail_that_the_server_defers_is_delayed_at_once(
    browser: Browser, mail: OutgoingEmail, refusing: Server
) -> None:
    refusing.refuse_recipient = "450 4.2.0 Greylisted"

    sending.deliver_due()

    assert "The e-mail is delayed" in news(browser)


def test_whoever_has_another_session_is_told_of_it(
    browser: Browser, mail: OutgoingEmail, start: Starter, configure: SettingsSetter
) -> None:
    configure(two_factor=False)
    start(Browser())
    configure(two_factor=True)

    with later(11):
        assert "You need no e-mail in a browser in which" in news(browser)


@pytest.mark.parametrize("words", ["Sender address rejected", "No"])
def test_after_a_refused_account_nobody_is_told_to_send_again(
    browser: Browser, mail: OutgoingEmail, refusing: Server, words: str
) -> None:
    refusing.refuse_sender = f"550 5.7.1 {words}"

    sending.deliver_due()

    shown = news(browser)
    assert "could not be sent, and another one could not either" in shown
    assert ADMINISTRATOR in shown
    assert "again" not in shown


def test_after_a_refused_address_the_user_is_told_so(
    browser: Browser, mail: OutgoingEmail, refusing: Server
) -> None:
    refusing.refuse_recipient = "550 5.1.1 No such user"

    sending.deliver_due()

    shown = news(browser)
    assert "refuses e-mails to your address" in shown
    assert ADMINISTRATOR in shown
    assert "again" not in shown
