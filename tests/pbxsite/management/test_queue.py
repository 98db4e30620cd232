from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from authconfig.users.models import PbxUser
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail

pytestmark = pytest.mark.django_db


def run(*words: str) -> str:
    out = StringIO()
    call_command("queue", *words, stdout=out)
    return out.getvalue()


def found() -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run("--json"))
    return answer


@pytest.fixture
def mails(user: PbxUser) -> list[OutgoingEmail]:
    """Three queued mails (one of them due later), one failed, one sent."""
    now = timezone.now()
    expires_at = now + timedelta(minutes=10)
    ended = {"ended_at": now}
    facts: list[dict[str, Any]] = [
        {"due_at": now - timedelta(seconds=90)},
        {"due_at": now - timedelta(seconds=5)},
        {"due_at": now + timedelta(seconds=60)},
        {
            "state": MailState.FAILED,
            "stage": "rcpt_to",
            "code": 550,
            "words": "5.1.1 no such mailbox",
            **ended,
        },
        {"state": MailState.SENT, **ended},
    ]
    return [
        OutgoingEmail.objects.create(
            user=user, recipient=user.email, expires_at=expires_at, **fact
        )
        for fact in facts
    ]


def test_an_empty_queue_says_so(db: None) -> None:
    empty = found()

    assert set(empty["mails"]) == set(MailState.values)
    assert not any(empty["mails"].values())
    assert (empty["due"], empty["oldest_due_seconds"]) == (0, None)
    assert "last sent: never" in run()


@pytest.mark.database
def test_the_queue_is_told_in_numbers(mails: list[OutgoingEmail]) -> None:
    answer = found()

    assert answer["mails"] == {
        "queued": 3,
        "sending": 0,
        "sent": 1,
        "failed": 1,
        "expired": 0,
        "unknown": 0,
    }
    assert answer["due"] == 2
    assert 90 <= answer["oldest_due_seconds"] < 100
    assert answer["last_sent_at"]
    assert answer["last_failure"] == "rcpt_to 550 5.1.1 no such mailbox"


def test_people_read_the_same_in_lines(mails: list[OutgoingEmail]) -> None:
    text = run()

    assert "queued          3" in text
    assert "due now         2, the oldest for 90 s" in text
    said = "Name the recipient (RCPT TO): 550 5.1.1 no such mailbox"
    assert f"last failure: {said}" in text
    assert "rcpt_to" not in text


def test_nobodys_address_is_told(mails: list[OutgoingEmail]) -> None:
    assert "anna" not in run() + run("--json")
