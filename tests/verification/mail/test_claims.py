"""What a worker may still do with a mail, by the number of its try."""

from __future__ import annotations

import pytest
from django.utils import timezone

from authconfig.choices import Event
from authconfig.users.models import AuditEvent
from verification.mail import claims
from verification.mail.choices import MailState
from verification.mail.fast.batches import Sent, write_down
from verification.mail.models import OutgoingEmail

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def claimed(mail: OutgoingEmail) -> OutgoingEmail:
    (claimed,) = claims.claim(1)
    return claimed


def state_and_tries() -> tuple[str, int]:
    row = OutgoingEmail.objects.get()
    return row.state, row.attempts


def told(*events: Event) -> int:
    return AuditEvent.objects.filter(event__in=events).count()


def test_whoever_lost_a_claim_changes_nothing(claimed: OutgoingEmail) -> None:
    """Another worker has it by now, at its second try."""
    OutgoingEmail.objects.update(attempts=2)

    assert not claims.end(claimed, MailState.FAILED)
    claims.delay(claimed, timezone.now(), stage="", words="")
    claims.give_back(claimed)
    claims.end_in_doubt(claimed)

    assert state_and_tries() == (MailState.SENDING, 2)
    assert not told(Event.MAIL_FAILED, Event.MAIL_DELAYED)


def test_a_mail_that_is_given_back_has_used_up_no_try(claimed: OutgoingEmail) -> None:
    claims.give_back(claimed)

    assert state_and_tries() == (MailState.QUEUED, 0)


def test_what_was_sent_is_told_once(claimed: OutgoingEmail) -> None:
    sent = Sent(claimed, "250 Ok", timezone.now())

    for _ in range(2):
        write_down([], [sent])

    assert state_and_tries() == (MailState.SENT, 1)
    assert told(Event.MAIL_SENT) == 1
