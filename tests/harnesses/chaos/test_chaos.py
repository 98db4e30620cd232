"""The queue keeps its promise under faults, and the count of that can fail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
from django.utils import timezone

from authconfig.users.models import PbxUser
from tests.harnesses.chaos.faults import FAULTS, LONG_FAULTS, OUTAGES, plan
from tests.harnesses.chaos.tally import LATE_SECONDS, Tally, tally
from tests.harnesses.chaos.watch import Period, Seen, Watch
from tests.support.services import ROOT
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.sessions.passwords import PASSWORD_NOTICE
from verification.voicemail.mails import VOICEMAIL

SEED = 1


@pytest.mark.long
@pytest.mark.postgresql
@pytest.mark.timeout(180)
def test_sixty_mails_go_out_once_whatever_dies() -> None:
    command = [
        sys.executable,
        "-m",
        "tests.harnesses.chaos",
        f"--seed={SEED}",
        "--mails=60",
    ]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=170
    )

    last = done.stdout.splitlines()[-1]
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.fullmatch(
        r"mails=60 sent=(\d+) lost=0 doubled=0 unknown=(\d+) late=0", last
    )
    assert found, last
    # A voicemail may be both: it was unknown, and went once more.
    assert int(found[1]) <= 60 <= int(found[1]) + int(found[2])


def test_a_whole_run_has_every_kind_of_fault() -> None:
    planned = plan(1000, Random(SEED))

    assert set(planned) == {*FAULTS, *LONG_FAULTS, *OUTAGES}
    assert planned == plan(1000, Random(SEED))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def one_mail(user: PbxUser, state: MailState, **facts: object) -> OutgoingEmail:
    values = {"kind": VOICEMAIL.name, "recipient": "a@example.com"} | facts
    now = timezone.now()
    ended_at = None if state in (MailState.QUEUED, MailState.SENDING) else now
    return OutgoingEmail.objects.create(
        user=user,
        state=state,
        ended_at=ended_at,
        expires_at=now,
        lease_expires_at=now,
        **values,
    )


def counted(
    journal: Path, mail: OutgoingEmail, taken_after: list[float], doubt: str = ""
) -> Tally:
    """Count a mail that the server took so many seconds after the last fault."""
    now = time.time()
    lines = [f"{now + s} <{mail.public_id}@example.com> a\n" for s in taken_after]
    journal.write_text("".join(lines))
    return tally(
        journal,
        queued_at={mail.recipient: now - 5},
        last_fault_at=now,
        in_doubt={doubt},
    )


@pytest.mark.parametrize(
    ("state", "taken_after", "wrong"),
    [
        (MailState.SENT, [1.0], ""),
        (MailState.SENT, [], "lost"),
        (MailState.QUEUED, [], "lost"),
        (MailState.SENDING, [], "lost"),
        (MailState.FAILED, [], "lost"),
        (MailState.EXPIRED, [], "lost"),
        (MailState.SENT, [1.0, 2.0], "doubled"),
        (MailState.SENT, [LATE_SECONDS + 1], "late"),
        (MailState.UNKNOWN, [], "unfounded"),
    ],
)
def test_whatever_went_wrong_is_counted(
    user: PbxUser, journal: Path, state: MailState, taken_after: list[float], wrong: str
) -> None:
    result = counted(journal, one_mail(user, state), taken_after)

    for name in ("lost", "doubled", "late", "unfounded"):
        assert getattr(result, name) == (["a@example.com"] if name == wrong else [])
    assert result.is_kept == (not wrong)


@pytest.mark.parametrize(
    ("kind", "taken_after", "is_kept"),
    [
        (VOICEMAIL.name, [1.0, 2.0], True),
        (VOICEMAIL.name, [1.0, 2.0, 3.0], False),
        (VOICEMAIL.name, [], False),
        (PASSWORD_NOTICE.name, [1.0, 2.0], False),
    ],
)
def test_a_voicemail_in_doubt_goes_twice_at_most(
    user: PbxUser, journal: Path, kind: str, taken_after: list[float], is_kept: bool
) -> None:
    mail = one_mail(user, MailState.SENT, kind=kind, doubts=1)

    result = counted(journal, mail, taken_after, doubt=mail.recipient)

    assert result.is_kept == is_kept


def test_a_row_that_is_gone_is_a_loss(user: PbxUser, journal: Path) -> None:
    mail = one_mail(user, MailState.SENT)
    OutgoingEmail.objects.all().delete()

    assert counted(journal, mail, [1.0]).lost == ["a@example.com"]


def test_what_was_seen_in_an_outage_is_told_with_how_long_it_lasted() -> None:
    watch = Watch(
        "http://nowhere",
        logins=[
            *(Seen(99, 0.1, "302"), Seen(104, 6, "302"), Seen(111, 1, "503")),
            *(Seen(113, 9, "503"), Seen(200, 0.2, "302")),
        ],
        readiness=[Seen(90, 0, "200 ok"), Seen(105, 0, "503 full")],
        findings=[Seen(105, 0, ""), Seen(200, 0, "")],
        periods=[
            Period("an outage", 100, 110),
            Period("another", 112.5, 114),
            Period("an outage", 200, 201),
        ],
    )

    told = list(watch.report({98: 1, 101: 2, 105: 7, 108: 4}))

    assert told[5] == "another (1), 2 s"
    # The login that another outage met is none of the first.
    assert told[:5] == [
        "an outage (2), 11 s",
        "    logins: 3, slowest 6.0 s, 2 bad (302, 503), right 2.0 s after the end",
        "    e-mails: 3 waited, 1 taken meanwhile,"
        " the others 2.0 s (half) and 2.0 s (all) after the end",
        "    readyz: 503 full",
        "    overview: all is well",
    ]
