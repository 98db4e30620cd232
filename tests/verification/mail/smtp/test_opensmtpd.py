"""Debian's OpenSMTPD, which takes a hundred mails of a connection and no more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter
from tests.support.opensmtpd import IS_POSSIBLE, OpenSmtpd, running_opensmtpd
from verification.mail import sending
from verification.mail.choices import MailState
from verification.mail.choices import SmtpStage as Stage
from verification.mail.models import OutgoingEmail
from verification.mail.operation.outcomes import remedy_of
from verification.sessions.passwords import PASSWORD_NOTICE

pytestmark = [
    pytest.mark.skipif(not IS_POSSIBLE, reason="needs OpenSMTPD, and root to start it"),
    pytest.mark.usefixtures("two_factor"),
]


@pytest.fixture(scope="module")
def running() -> Iterator[OpenSmtpd]:
    with running_opensmtpd() as server:
        yield server


@pytest.fixture
def opensmtpd(running: OpenSmtpd, configure: SettingsSetter) -> OpenSmtpd:
    configure(smtp_port=running.port)
    return running


def queue(user: PbxUser, recipient: str, count: int = 1) -> list[str]:
    facts = {"user": user, "kind": PASSWORD_NOTICE.name, "recipient": recipient}
    expires_at = timezone.now() + timedelta(days=1)
    rows = [OutgoingEmail(expires_at=expires_at, **facts) for _ in range(count)]
    OutgoingEmail.objects.bulk_create(rows)
    return sorted(str(row.public_id) for row in rows)


def test_more_mails_than_a_connection_takes_go_by_the_next_one(
    opensmtpd: OpenSmtpd, user: PbxUser, configure: SettingsSetter
) -> None:
    configure(smtp_mails_per_connection=1000)
    names = queue(user, "nobody@example.com", 105)

    sending.deliver_due()

    assert opensmtpd.await_mails(105) == names
    outcomes = OutgoingEmail.objects.values_list("state", "attempts")
    assert set(outcomes) == {(MailState.SENT, 1)}


def test_a_recipient_that_it_does_not_know_is_the_recipients_fault(
    opensmtpd: OpenSmtpd, user: PbxUser
) -> None:
    queue(user, "unknown@example.com")

    sending.deliver_due()

    mail = OutgoingEmail.objects.get()
    assert (mail.state, mail.stage) == (MailState.FAILED, Stage.RCPT_TO)
    assert mail.words == "550 Invalid recipient: <unknown@example.com>"
    assert "does not accept the recipient" in remedy_of(mail)
