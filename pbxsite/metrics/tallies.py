"""Totals since the site began, alike in every process.

Each reader adds what ended since the last reader, up to a moment ago, and stores the
sums. They only grow, whatever is deleted or tried again later, and cost the same with a
million old rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, DurationField, ExpressionWrapper, F, Q, Sum
from django.utils import timezone

from authconfig.choices import Event
from authconfig.users.models import AuditEvent
from pbxsite.metrics.models import Tally, TallyMark
from verification.approval.choices import Ending, LoginState
from verification.approval.models import LoginSession
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.sessions.choices import Approver

# A row appears when its transaction ends, a little later than its own time says.
LAG = timedelta(seconds=10)
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
LOGINS, APPROVALS, MAILS = "logins", "approvals", "mails"
MAIL_SECONDS, APPROVAL_SECONDS = "mail_seconds", "approval_seconds"
# The upper ends of the histograms' buckets, in seconds.
MAIL_BUCKETS = (0.25, 0.5, 1, 2, 5, 10, 30, 60, 300)
APPROVAL_BUCKETS = (5, 10, 20, 30, 60, 120, 300, 600)
SUM, COUNT = "sum", "count"
OUTCOMES = {
    Event.LOGIN: "completed",
    Event.LOGIN_HELD: "held",
    Event.LOGIN_FAILED: "failed",
    Event.LOGIN_REFUSED: "refused",
}
DECISIONS = {Event.LOGIN_ACCEPTED: "accepted", Event.LOGIN_REJECTED: "rejected"}
# A series and its labels.
Key = tuple[str, ...]


def totals() -> dict[Key, int]:
    with transaction.atomic():
        _advance()
        rows = Tally.objects.values_list("series", "labels", "amount")
        return {(series, *labels.split("|")): amount for series, labels, amount in rows}


def _advance() -> None:
    marks = TallyMark.objects.select_for_update()
    mark, _is_new = marks.get_or_create(pk=1, defaults={"until": BEGINNING})
    since, until = mark.until, timezone.now() - LAG
    if until <= since:
        return
    added: Counter[Key] = Counter()
    for found in (_logins, _approvals, _mails, _mail_times, _approval_times):
        added.update(dict(found(since, until)))
    _add(added)
    TallyMark.objects.filter(pk=1).update(until=until)


def _add(added: Counter[Key]) -> None:
    known = {(row.series, row.labels): row.amount for row in Tally.objects.all()}
    rows = []
    for (series, *labels), amount in added.items():
        joined = "|".join(labels)
        total = known.get((series, joined), 0) + amount
        rows.append(Tally(series=series, labels=joined, amount=total))
    Tally.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["series", "labels"],
        update_fields=["amount"],
    )


Found = Iterator[tuple[Key, int]]


def _events(since: datetime, until: datetime, kinds: Iterable[Event]) -> Any:
    events = AuditEvent.objects.filter(at__gt=since, at__lte=until, event__in=kinds)
    return events.order_by()


def _logins(since: datetime, until: datetime) -> Found:
    rows = _events(since, until, OUTCOMES).values_list("event", "method", "kind")
    for event, method, kind, count in rows.annotate(count=Count("pk")):
        yield (LOGINS, method, kind, OUTCOMES[Event(event)]), count


def _approvals(since: datetime, until: datetime) -> Found:
    """Count by the approver; logins that ended without a decision have none."""
    kinds = [*DECISIONS, Event.LOGIN_ENDED]
    rows = _events(since, until, kinds).values_list("event", "detail")
    for event, detail, count in rows.annotate(count=Count("pk")):
        if event in DECISIONS and detail in Approver.values:
            yield (APPROVALS, detail, DECISIONS[Event(event)]), count
        elif event == Event.LOGIN_ENDED and detail in Ending.values:
            yield (APPROVALS, "", detail), count


def _mails(since: datetime, until: datetime) -> Found:
    ended = OutgoingEmail.objects.ended_since(since).filter(ended_at__lte=until)
    rows = ended.order_by().values_list("kind", "state", "code")
    for kind, state, code, count in rows.annotate(count=Count("pk")):
        yield (MAILS, kind, state, str(code or "")), count


def _mail_times(since: datetime, until: datetime) -> Found:
    sent = OutgoingEmail.objects.ended_since(since).filter(
        ended_at__lte=until, state=MailState.SENT
    )
    taken = _taken(sent, "ended_at").values("kind")
    for row in taken.annotate(**_buckets(MAIL_BUCKETS)):
        yield from _histogram(row, MAIL_SECONDS, row["kind"])


def _approval_times(since: datetime, until: datetime) -> Found:
    accepted = LoginSession.objects.filter(
        state__in=[LoginState.ACCEPTED, LoginState.COMPLETED],
        decided_at__gt=since,
        decided_at__lte=until,
    )
    taken = _taken(accepted, "decided_at")
    yield from _histogram(
        taken.aggregate(**_buckets(APPROVAL_BUCKETS)), APPROVAL_SECONDS
    )


def _taken(rows: Any, end: str) -> Any:
    taken = ExpressionWrapper(F(end) - F("created_at"), DurationField())
    return rows.order_by().annotate(taken=taken)


def _buckets(limits: Iterable[float]) -> dict[str, Any]:
    """Count what took no longer than each limit, as Prometheus does."""
    within = {
        f"within_{limit}": Count("pk", filter=Q(taken__lte=timedelta(seconds=limit)))
        for limit in limits
    }
    return within | {COUNT: Count("pk"), SUM: Sum("taken")}


def _histogram(row: dict[str, Any], series: str, *labels: str) -> Found:
    for name, found in row.items():
        if name.startswith("within_"):
            yield (series, *labels, name.removeprefix("within_")), found
    yield (series, *labels, COUNT), row[COUNT]
    total = row[SUM] or timedelta()
    yield (series, *labels, SUM), int(total.total_seconds() * 1000)
