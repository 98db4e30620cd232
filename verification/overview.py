"""The outgoing queue in numbers, from the database alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Min
from django.utils import timezone

from verification.choices import MailState
from verification.models import OutgoingEmail


@dataclass(frozen=True)
class Overview:
    """`oldest_due_seconds` is how long the oldest due mail has waited, or None."""

    mails: dict[str, int]
    due: int
    oldest_due_seconds: float | None
    last_sent_at: datetime | None
    last_failure: str

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
    )
