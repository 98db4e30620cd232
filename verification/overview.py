"""The outgoing queue in numbers, from the database alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min
from django.utils import timezone

from verification.choices import MailState
from verification.models import OutgoingEmail

LATELY = timedelta(hours=1)
MOST_MEASURED = 1000


@dataclass(frozen=True)
class Overview:
    """`oldest_due_seconds` is how long the oldest due mail has waited, or None."""

    mails: dict[str, int]
    due: int
    oldest_due_seconds: float | None
    last_sent_at: datetime | None
    last_failure: str
    failed_lately: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def overview() -> Overview:
    counts = dict(
        OutgoingEmail.objects.order_by()
        .values_list("state")
        .annotate(count=Count("pk"))
    )
    due = OutgoingEmail.objects.due().aggregate(count=Count("pk"), oldest=Min("due_at"))
    oldest = due["oldest"]
    mails = OutgoingEmail.objects.order_by("-ended_at")
    failed = mails.filter(state=MailState.FAILED).first()
    sent = mails.filter(state=MailState.SENT).first()
    return Overview(
        mails={state.value: counts.get(state, 0) for state in MailState},
        due=due["count"],
        oldest_due_seconds=(timezone.now() - oldest).total_seconds()
        if oldest
        else None,
        last_sent_at=sent.ended_at if sent else None,
        last_failure=f"{failed.stage} {failed.code or ''} {failed.words}"
        if failed
        else "",
        failed_lately=_is_newer(failed, sent),
    )


def _is_newer(failed: OutgoingEmail | None, sent: OutgoingEmail | None) -> bool:
    """Did the last hour's last mail fail?"""
    if failed is None or not failed.ended_at:
        return False
    since = sent.ended_at if sent and sent.ended_at else timezone.now() - LATELY
    return failed.ended_at > max(since, timezone.now() - LATELY)


@dataclass(frozen=True)
class MailTimes:
    """How long the last hour's mails took from the login to the server's yes."""

    count: int
    median_seconds: float = 0
    p95_seconds: float = 0


def mail_times() -> MailTimes:
    sent = OutgoingEmail.objects.filter(
        state=MailState.SENT, ended_at__gt=timezone.now() - LATELY
    )
    newest = sent.order_by("-ended_at").values_list("created_at", "ended_at")
    taken = sorted(
        (ended - created).total_seconds()
        for created, ended in newest[:MOST_MEASURED]
        if ended
    )
    if not taken:
        return MailTimes(0)
    return MailTimes(
        count=sent.count(),
        median_seconds=taken[len(taken) // 2],
        p95_seconds=taken[len(taken) * 95 // 100],
    )
