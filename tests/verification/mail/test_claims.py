"""What a worker may still do with a mail, by the number of its try."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from authconfig.choices import Event
from authconfig.users.models import AuditEvent
from verification.approval.models import LoginMail
from verification.mail import claims
from verification.mail.choices import MailState
from verification.mail.fast.batches import Sent, write_down
from verification.mail.models import OutgoingEmail
from verification.voicemail.models import Voicemail

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


def test_a_claim_reads_what_the_mails_own_kinds_need(
    mail: OutgoingEmail, django_assert_num_queries: Any
) -> None:
    with CaptureQueriesContext(connection) as queries:
        [claimed] = claims.claim(5)

    said = " ".join(query["sql"] for query in queries)
    assert LoginMail._meta.db_table in said
    assert Voicemail._meta.db_table not in said
    with django_assert_num_queries(0):
        assert claimed.user
        assert claimed.user.pk == claimed.login_mail.login.user_id == mail.user_id


def test_mails_of_several_kinds_are_claimed_in_the_order_of_their_turn(
    mail: OutgoingEmail,
) -> None:
    """A kind that is read at once does not go first as a whole."""
    others = [
        OutgoingEmail.objects.create(
            kind=kind,
            user=mail.user,
            recipient="anna@example.com",
            due_at=mail.due_at + timedelta(seconds=seconds),
            expires_at=mail.expires_at,
        )
        for kind, seconds in (("password", -2), (mail.kind, -1), ("password", 0))
    ]
    first, second, last = (other.pk for other in others)

    claimed = [each.pk for each in claims.claim(5)]
    assert claimed in ([first, second, mail.pk, last], [first, second, last, mail.pk])
