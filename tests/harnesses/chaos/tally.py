"""What became of every mail: by its row, and by the server's own book."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.voicemail.mails import VOICEMAIL

LATE_SECONDS = 60.0


@dataclass
class Tally:
    """Addresses of mails, each named once for each thing that is told of it."""

    mails: int = 0
    sent: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    # Marked unknown though nothing was done to them after DATA.
    unfounded: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        names = ("sent", "lost", "doubled", "unknown", "late")
        counts = [f"{name}={len(getattr(self, name))}" for name in names]
        return " ".join([f"mails={self.mails}", *counts])

    @property
    def is_kept(self) -> bool:
        return not (self.lost or self.doubled or self.late or self.unfounded)


def taken(journal: Path) -> dict[str, list[float]]:
    """Return when the server took each Message-ID."""
    times: dict[str, list[float]] = defaultdict(list)
    for line in journal.read_text().splitlines() if journal.exists() else ():
        at, message_id, _recipient = line.split(" ", 2)
        times[message_id].append(float(at))
    return times


def tally(
    journal: Path,
    *,
    queued_at: Mapping[str, float],
    last_fault_at: float,
    in_doubt: Set[str],
) -> Tally:
    result, times = Tally(), taken(journal)
    for mail in OutgoingEmail.objects.all():
        result.mails += 1
        took = times.pop(f"<{mail.public_id}@example.com>", [])
        since = max(last_fault_at, queued_at[mail.recipient])
        _judge(result, mail, took, since)
    result.unfounded = sorted(set(result.unknown) - in_doubt)
    # A row that was there once, and is no more, is a loss as well.
    missing = set(queued_at) - set(
        OutgoingEmail.objects.values_list("recipient", flat=True)
    )
    result.lost += sorted(missing)
    return result


def _judge(result: Tally, mail: OutgoingEmail, took: list[float], since: float) -> None:
    is_unknown = mail.state == MailState.UNKNOWN or bool(mail.doubts)
    may_double = is_unknown and mail.kind == VOICEMAIL.name
    if mail.state == MailState.SENT:
        result.sent.append(mail.recipient)
    if is_unknown:
        result.unknown.append(mail.recipient)
    # What says that it was sent has to have been taken, in doubt or not.
    if not took and (mail.state == MailState.SENT or not is_unknown):
        result.lost.append(mail.recipient)
    if len(took) > (2 if may_double else 1):
        result.doubled.append(mail.recipient)
    if took and min(took) > since + LATE_SECONDS:
        result.late.append(mail.recipient)
