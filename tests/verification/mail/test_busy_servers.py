"""A server that takes nothing for the moment: all mails wait, and none is at fault."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.utils import timezone

from authconfig.choices import Event
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter
from tests.support.scripted_smtp import POLITE, hang_up, scripted_server
from verification.approval.models import LoginSession
from verification.mail import sending
from verification.mail.choices import MailPriority, MailState
from verification.mail.models import OutgoingEmail
from verification.sessions.passwords import PASSWORD_NOTICE


def deliver(mail: OutgoingEmail) -> str:
    sending.deliver_due()
    mail.refresh_from_db()
    return mail.state


def queue_notice(user: PbxUser, **values: object) -> OutgoingEmail:
    facts = {"expires_at": timezone.now() + timedelta(days=1)} | values
    facts |= {"user": user, "recipient": user.email}
    return OutgoingEmail.objects.create(kind=PASSWORD_NOTICE.name, **facts)


@pytest.mark.parametrize(
    ("script", "stage"),
    [
        ({"GREETING": b"421 Too many concurrent SMTP connections\r\n"}, "ehlo"),
        ({"GREETING": hang_up}, "ehlo"),
        ({"MAIL": b"450 4.7.1 Error: too much mail from 192.0.2.7\r\n"}, "mail_from"),
        ({"MAIL": b"451 4.7.500 Server busy\r\n"}, "mail_from"),
        ({"MAIL": b"452 4.3.1 Insufficient system storage\r\n"}, "mail_from"),
        ({"RCPT": b"450 4.7.1 Error: too many recipients from a\r\n"}, "rcpt_to"),
    ],
    ids=["greeting", "hung up", "450", "451", "452", "rate at RCPT"],
)
def test_what_the_server_has_too_much_of_uses_up_no_try(
    mail: OutgoingEmail,
    configure: SettingsSetter,
    script: dict[str, Any],
    stage: str,
) -> None:
    OutgoingEmail.objects.update(expires_at=mail.expires_at + timedelta(hours=1))
    LoginSession.objects.update(expires_at=mail.expires_at + timedelta(hours=1))
    with scripted_server(script) as server:
        configure(smtp_port=server.port)
        for _ in range(2 * settings.MAIL_MAX_ATTEMPTS):
            with time_machine.travel(mail.due_at, tick=False):
                assert deliver(mail) == MailState.QUEUED
            assert (mail.stage, mail.attempts) == (stage, 0)
            assert mail.words
        server.script.update(POLITE)
        with time_machine.travel(mail.due_at, tick=False):
            assert deliver(mail) == MailState.SENT

    assert mail.attempts == 1
    assert not AuditEvent.objects.filter(event=Event.MAIL_DELAYED).exists()


def test_all_mails_wait_together_while_the_server_takes_none(
    mail: OutgoingEmail, configure: SettingsSetter, user: PbxUser
) -> None:
    others = [queue_notice(user) for _ in range(9)]
    busy = {"MAIL": b"450 4.7.1 Error: too much mail from 192.0.2.7\r\n"}
    with scripted_server(busy) as server:
        configure(smtp_port=server.port)
        for _ in range(3):
            sending.deliver_due()
        assert server.verbs.count("MAIL") == 1
        server.script.update(POLITE)
        with time_machine.travel(timezone.now() + timedelta(seconds=3)):
            sending.deliver_due()

        assert len(server.bodies) == 10
    assert {each.attempts for each in OutgoingEmail.objects.all()} == {1}
    assert len(others) == 9


def test_what_refuses_a_recording_keeps_no_urgent_mail_from_going_out(
    mail: OutgoingEmail, configure: SettingsSetter, user: PbxUser
) -> None:
    OutgoingEmail.objects.filter(pk=mail.pk).update(priority=MailPriority.LATER)
    full = {"MAIL": b"452 4.3.1 Insufficient system storage\r\n"}
    with scripted_server(full) as server:
        configure(smtp_port=server.port)
        sending.deliver_due()
        server.script.update(POLITE)
        urgent = queue_notice(user)

        assert deliver(urgent) == MailState.SENT
        mail.refresh_from_db()
        assert (mail.state, mail.attempts) == (MailState.QUEUED, 0)


def test_a_recording_waits_while_the_account_cannot_log_in(
    mail: OutgoingEmail, configure: SettingsSetter, user: PbxUser
) -> None:
    OutgoingEmail.objects.update(priority=MailPriority.LATER)
    for _ in range(4):
        queue_notice(user, priority=MailPriority.LATER)
    offer = b"250-scripted\r\n250 AUTH PLAIN\r\n"
    wrong = {"EHLO": offer, "AUTH": b"535 5.7.8 Wrong\r\n"}
    with scripted_server(wrong) as server:
        login = {"smtp_username": "a", "smtp_password": "wrong horse"}
        configure(smtp_port=server.port, **login)
        sending.deliver_due()

        # Each try counts as a wrong password.
        assert server.verbs.count("AUTH") == 1
        assert set(OutgoingEmail.objects.values_list("state", "attempts")) == {
            (MailState.QUEUED, 0)
        }
        server.script["AUTH"] = b"235 2.7.0 Welcome\r\n"
        configure(smtp_password="right horse")
        with time_machine.travel(timezone.now() + timedelta(seconds=3)):
            sending.deliver_due()
    assert set(OutgoingEmail.objects.values_list("state", flat=True)) == {"sent"}
