"""Recordings beyond the limits of Exim, OpenSMTPD and Postfix themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter
from tests.support import exim, mailboxes, opensmtpd, postfix
from tests.support.certificates import make_authority
from tests.support.recordings import wav
from tests.support.voicemails import post
from verification.mail import sending
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.voicemail.models import KeptRecording

pytestmark = pytest.mark.django_db
# With its minute a mail has 1.3 MB.
RECORDING = wav(60)
Account = dict[str, Any]


@contextmanager
def running_exim() -> Iterator[tuple[Account, Path]]:
    with exim.running_exim(options="message_size_limit = 300K") as server:
        yield {"smtp_port": server.port}, server.place


@contextmanager
def running_opensmtpd() -> Iterator[tuple[Account, Path]]:
    with opensmtpd.running_opensmtpd("smtp max-message-size 300K") as server:
        yield {"smtp_port": server.port}, server.place


@contextmanager
def running_postfix() -> Iterator[tuple[Account, Path]]:
    """Its limit is a million bytes."""
    authority = make_authority()
    with postfix.running_postfix(authority) as server:
        account = {
            "smtp_server": "localhost",
            "smtp_port": server.port,
            "smtp_security": "starttls",
            "smtp_ca_certificate": authority.ca_pem,
        }
        yield account, server.place


def needs(module: Any) -> pytest.MarkDecorator:
    reason = "needs the server, and root to start it"
    return pytest.mark.skipif(not module.IS_POSSIBLE, reason=reason)


@pytest.mark.parametrize(
    ("running", "recipient", "words"),
    [
        pytest.param(
            *(running_exim, "anna@example.com"),
            "552 Message size exceeds maximum permitted",
            marks=needs(exim),
            id="Exim",
        ),
        # It says its limit at EHLO and nothing at MAIL.
        pytest.param(
            *(running_opensmtpd, "nobody@example.com"),
            "and the server takes 307200.",
            marks=needs(opensmtpd),
            id="OpenSMTPD",
        ),
        pytest.param(
            *(running_postfix, "anna@example.com"),
            "552 5.3.4 Message size exceeds fixed limit",
            marks=needs(postfix),
            id="Postfix",
        ),
    ],
)
def test_a_mail_with_the_link_is_in_the_mailbox(
    pbx: Browser, configure: SettingsSetter, running: Any, recipient: str, words: str
) -> None:
    PbxUser.objects.update(email=recipient)
    with running() as (account, place):
        configure(**account)
        post(pbx, RECORDING)

        sending.deliver_due()

        mail = OutgoingEmail.objects.get()
        assert (mail.state, mail.attempts) == (MailState.SENT, 2), mail.words
        found = mailboxes.await_mails(place / "mailboxes", 1, 20)
        assert found == [str(mail.public_id)]
    assert KeptRecording.objects.count() == 1
    delayed = AuditEvent.objects.get(event=Event.MAIL_DELAYED)
    assert words in delayed.detail
