"""What became of mails: beside the account, and on each mail's own page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.utils import timezone
from django.utils.html import escape

from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter
from tests.support.scripted_smtp import closed_port, scripted_server
from verification.mail import sending
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.mail.operation.outcomes import remedy_of
from verification.sessions.passwords import PASSWORD_NOTICE

PAGE = "/admin/authconfig/authenticationsettings/"
MAIL_PAGE = "/admin/mail/outgoingemail/{}/change/"
pytestmark = pytest.mark.usefixtures("two_factor")


def queue(user: PbxUser, **values: object) -> OutgoingEmail:
    facts = {"expires_at": timezone.now() + timedelta(days=1)} | values
    return OutgoingEmail.objects.create(
        kind=PASSWORD_NOTICE.name, user=user, recipient="anna@example.com", **facts
    )


def shown(browser: Browser, path: str) -> str:
    response = browser.get(path)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize(
    ("script", "stage", "words", "remedy"),
    [
        (
            {"RCPT": b"550 5.1.1 No such <user>\r\n"},
            "Name the recipient (RCPT TO)",
            "550 5.1.1 No such <user>",
            "no such mailbox",
        ),
        (
            {"MAIL": b"553 5.7.1 Not your address\r\n"},
            "Name the sender (MAIL FROM)",
            "553 5.7.1 Not your address",
            "belongs to this account",
        ),
        (
            {".": b"552 5.3.4 Too big\r\n"},
            "Hand over the e-mail (DATA)",
            "552 5.3.4 Too big",
            "too large",
        ),
    ],
)
def test_a_failed_mail_says_kept_words_and_remedy_in_both_places(
    admin_client_myapps: Browser,
    user: PbxUser,
    configure: SettingsSetter,
    script: dict[str, bytes],
    stage: str,
    words: str,
    remedy: str,
) -> None:
    with scripted_server(script) as server:
        configure(smtp_port=server.port)
        mail = queue(user)
        sending.deliver_due()
    mail.refresh_from_db()
    assert mail.state == MailState.FAILED
    assert remedy in remedy_of(mail)

    for path in (PAGE, MAIL_PAGE.format(mail.pk)):
        page = shown(admin_client_myapps, path)
        assert escape(stage) in page
        assert escape(words) in page
        assert escape(remedy_of(mail)) in page


def test_a_mail_that_waits_for_another_try_says_why(
    admin_client_myapps: Browser, user: PbxUser, configure: SettingsSetter
) -> None:
    configure(smtp_port=closed_port())
    mail = queue(user)
    sending.deliver_due()
    mail.refresh_from_db()

    page = shown(admin_client_myapps, MAIL_PAGE.format(mail.pk))

    assert mail.state == MailState.QUEUED
    assert remedy_of(mail)
    assert escape(remedy_of(mail)) in page


def test_the_last_twenty_stand_beside_the_account(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    now = timezone.now()
    for number in range(25):
        words = f"250 2.0.0 number {number} taken"
        at = now - timedelta(minutes=number)
        queue(user, state=MailState.SENT, ended_at=at, code=250, words=words)
    queue(user, words="of a mail that waits")

    page = shown(admin_client_myapps, PAGE)

    assert [f"number {n} taken" in page for n in (0, 19, 20)] == [True, True, False]
    assert page.count('class="outcome outcome-sent"') == 20
    assert "of a mail that waits" not in page
    places = [page.index(f"number {number} ") for number in range(20)]
    assert places == sorted(places)
