"""Many mails, and a token that ends while they go out."""

from __future__ import annotations

import time
from collections import Counter
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connections

from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter
from tests.support.mail_provider import MailProvider
from tests.support.submission import Submission
from tests.verification.mail.oauth2.test_submission import (
    configuration,
    queue,
    settings_at,
)
from verification.mail import sending
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.mail.oauth2 import renewal
from verification.mail.oauth2.configuration import Configuration

MAILS = 500
LIMIT_SECONDS = 90.0


class Ending(Thread):
    """Ends the present token at the provider once so many mails are sent."""

    def __init__(
        self, provider: MailProvider, configuration: Configuration, after: int
    ) -> None:
        super().__init__(daemon=True)
        self.provider, self.configuration, self.after = provider, configuration, after
        self.has_ended = Event()

    def run(self) -> None:
        sent = OutgoingEmail.objects.filter(state=MailState.SENT)
        try:
            while sent.count() < self.after:
                time.sleep(0.05)
            token = renewal.row_of(self.configuration).access_token
            self.provider.revoke(self.configuration, token)
            self.has_ended.set()
        finally:
            connections.close_all()


@pytest.mark.long
@pytest.mark.postgresql
@pytest.mark.timeout(180)
@pytest.mark.django_db(transaction=True)
def test_a_token_that_ends_among_500_mails_loses_and_doubles_none(
    mail_provider: MailProvider,
    submission: Submission,
    user: PbxUser,
    configure: SettingsSetter,
) -> None:
    values: dict[str, Any] = settings_at(mail_provider, submission)
    rules = configure(**values | {"smtp_connections": 3})
    expected = queue(user, MAILS)
    ending = Ending(mail_provider, configuration(rules), MAILS // 3)
    ending.start()

    limit = time.monotonic() + LIMIT_SECONDS
    while OutgoingEmail.objects.filter(state=MailState.QUEUED).exists():
        assert time.monotonic() < limit
        sending.deliver_due()
    ending.join(5)

    assert ending.has_ended.is_set()
    outcomes = OutgoingEmail.objects.values_list("state", "attempts")
    assert Counter(outcomes) == {(MailState.SENT, 1): MAILS}
    arrived = submission.postfix.await_mails(10_000, 0)
    while len(arrived) < MAILS and time.monotonic() < limit:
        arrived = submission.postfix.await_mails(MAILS, 20)
    counted = Counter(arrived)
    assert {mail: counted[mail] for mail in expected} == dict.fromkeys(expected, 1)
    # The first token, and one in its place.
    assert renewal.row_of(configuration(rules)).generation == 2
