"""The outgoing queue in numbers, all of them from the database."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min, Q
from django.db.models.functions import TruncMinute
from django.utils import timezone

from authconfig.network import database_now
from verification.mail import claims
from verification.mail.choices import MailState
from verification.mail.models import OVER, OutgoingEmail
from verification.mail.operation.outcomes import failure_of

LATELY = timedelta(hours=1)
# Counts and charts look so far back; older mails say nothing about today.
DAY = timedelta(days=1)
MOST_MEASURED = 1000
MOST_MEASURED_OF_DAY = 5000
MOST_GROUPS = 20
# So many failures are looked at one by one.
MOST_JUDGED = 200
# Addresses refused in a row: from then on the server is to blame, not each of them.
MANY_ADDRESSES = 5
FAILURES = (MailState.FAILED, MailState.UNKNOWN)
WAITING = (MailState.QUEUED, MailState.SENDING)
# How many mails of a state ended in the minute that begins at the time.
Counts = dict[tuple[datetime, str], int]


@dataclass(frozen=True)
class Overview:
    """`oldest_due_seconds` is how long the oldest due mail has waited, or None.

    `mails` counts by state; of the mails that have ended, those of the last day.
    """

    mails: dict[str, int]
    due: int
    oldest_due_seconds: float | None
    last_sent_at: datetime | None
    last_failure: str
    # The newest failure of the last hour, if it is the server's or the account's, and
    # nothing was sent since; one recipient's fault says nothing of the others.
    trouble: OutgoingEmail | None
    # So many addresses were refused in the last day.
    refused_addresses: int
    ended: Counts


def overview(*, counts: bool = True) -> Overview:
    """`counts`: also count what has ended, which takes longest."""
    queued = OutgoingEmail.objects.filter(state__in=WAITING).aggregate(
        queued=Count("pk", filter=Q(state=MailState.QUEUED)),
        sending=Count("pk", filter=Q(state=MailState.SENDING)),
    )
    due = claims.due().aggregate(count=Count("pk"), oldest=Min("due_at"))
    over = ended() if counts else {}
    failures, sent = _last_failures(), _last_sent_at()
    return Overview(
        mails=queued | _by_state(over),
        due=due["count"],
        oldest_due_seconds=_age(due["oldest"]),
        last_sent_at=sent,
        last_failure=_in_words(failures[0]) if failures else "",
        trouble=_trouble(failures, sent),
        refused_addresses=len(_refused(failures)),
        ended=over,
    )


def _by_state(counts: Counts) -> dict[str, int]:
    found = dict.fromkeys((state.value for state in OVER), 0)
    for (_minute, state), count in counts.items():
        found[state] += count
    return found


def _age(moment: datetime | None) -> float | None:
    return (database_now() - moment).total_seconds() if moment else None


class Ended:
    """Counts how many mails ended in each minute of the last day, by state.

    A day has many mails, so mostly only the newest are counted again. All of them are
    counted if the last whole count is older than half a minute: operators retry some.
    """

    MAX_AGE_SECONDS = 30.0
    NEWEST = timedelta(minutes=2)

    def __init__(self) -> None:
        self._counts: Counts = {}
        self._counted_at: float | None = None

    def __call__(self) -> Counts:
        now, clock = timezone.now(), time.monotonic()
        age = None if self._counted_at is None else clock - self._counted_at
        is_fresh = age is not None and age < self.MAX_AGE_SECONDS
        since = now - (self.NEWEST if is_fresh else DAY)
        if not is_fresh:
            self._counted_at = clock
        kept = {
            (minute, state): count
            for (minute, state), count in self._counts.items()
            if is_fresh and now - DAY <= minute < _whole_minute(since)
        }
        self._counts = kept | _count_since(_whole_minute(since))
        return self._counts

    def forget(self) -> None:
        self._counted_at = None


def _whole_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _count_since(moment: datetime) -> Counts:
    rows = (
        OutgoingEmail.objects.filter(state__in=OVER, ended_at__gte=moment)
        .order_by()
        .values_list(TruncMinute("ended_at", tzinfo=UTC), "state")
        .annotate(count=Count("pk"))
    )
    return {(minute, state): count for minute, state, count in rows}


ended = Ended()


def _last_sent_at() -> datetime | None:
    sent = OutgoingEmail.objects.filter(state=MailState.SENT, ended_at__isnull=False)
    newest = sent.order_by("-ended_at").values_list("ended_at", flat=True)
    return newest.first()


def _last_failures() -> list[OutgoingEmail]:
    lately = OutgoingEmail.objects.ended_since(timezone.now() - DAY)
    failed = lately.filter(state=MailState.FAILED).order_by("-ended_at")
    kept = ("recipient", "ended_at", "stage", "code", "fault", "words")
    return list(failed.only(*kept)[:MOST_JUDGED])


def refused_mails() -> list[OutgoingEmail]:
    """Return the mails of the last day whose recipients are to blame."""
    return [mail for mail in _last_failures() if failure_of(mail).is_of_recipient]


def _refused(failures: Iterable[OutgoingEmail]) -> set[str]:
    return {mail.recipient for mail in failures if failure_of(mail).is_of_recipient}


def said(failed: OutgoingEmail) -> str:
    """Return the server's words, which begin with its code; ours have none."""
    code = str(failed.code or "")
    return f"{code} {failed.words.removeprefix(code).strip()}".strip()


def _in_words(failed: OutgoingEmail) -> str:
    return f"{failed.stage} {said(failed)}".strip()


def _trouble(
    failures: Iterable[OutgoingEmail], sent: datetime | None
) -> OutgoingEmail | None:
    """Return the newest failure that others would meet as well, if there is one."""
    lately = timezone.now() - LATELY
    since = max(sent or lately, lately)
    newer = [mail for mail in failures if mail.ended_at and mail.ended_at > since]
    if len(_refused(newer)) >= MANY_ADDRESSES:
        return newer[0]
    others = (mail for mail in newer if not failure_of(mail).is_of_recipient)
    return next(others, None)


@dataclass(frozen=True)
class MailTimes:
    """How long mails took from the queue until the server took them."""

    count: int
    median_seconds: float = 0
    p95_seconds: float = 0


def mail_times() -> MailTimes:
    sent = _sent_since(timezone.now() - LATELY)
    taken = _taken(sent, MOST_MEASURED)
    return _times(sent.count() if taken else 0, taken)


def times_of_day() -> MailTimes:
    """Return this of the last day, measured by its newest mails if there are many."""
    taken = _taken(_sent_since(timezone.now() - DAY), MOST_MEASURED_OF_DAY)
    return _times(len(taken), taken)


def _sent_since(moment: datetime) -> Any:
    return OutgoingEmail.objects.filter(state=MailState.SENT, ended_at__gt=moment)


def _taken(sent: Any, most: int) -> list[float]:
    newest = sent.order_by("-ended_at").values_list("created_at", "ended_at")
    return sorted(
        (ended - created).total_seconds() for created, ended in newest[:most] if ended
    )


def _times(count: int, taken: list[float]) -> MailTimes:
    if not taken:
        return MailTimes(0)
    return MailTimes(
        count=count,
        median_seconds=taken[len(taken) // 2],
        p95_seconds=taken[len(taken) * 95 // 100],
    )


@dataclass(frozen=True)
class Group:
    """Mails that failed in the same way; the queued ones among them are tried again."""

    state: MailState
    stage: str
    code: int | None
    fault: str

    @property
    def key(self) -> str:
        return f"{self.state}:{self.stage}:{self.code or ''}:{self.fault}"

    def mails(self) -> Any:
        same = OutgoingEmail.objects.filter(
            state=self.state, stage=self.stage, code=self.code, fault=self.fault
        )
        if self.state == MailState.QUEUED:
            return same
        return same.filter(ended_at__gt=timezone.now() - DAY)


@dataclass(frozen=True)
class Failures:
    group: Group
    count: int
    words: str
    last_at: datetime | None


def failures() -> list[Failures]:
    ended = OutgoingEmail.objects.ended_since(timezone.now() - DAY)
    delayed = OutgoingEmail.objects.filter(state=MailState.QUEUED).exclude(stage="")
    groups = [*_grouped(delayed), *_grouped(ended.filter(state__in=FAILURES))]
    return sorted(groups, key=lambda each: -each.count)[:MOST_GROUPS]


def _grouped(mails: Any) -> Iterable[Failures]:
    rows = (
        mails.order_by()
        .values_list("state", "stage", "code", "fault")
        .annotate(count=Count("pk"), words=Max("words"), last_at=Max("ended_at"))
    )
    for state, stage, code, fault, count, words, last_at in rows:
        yield Failures(
            Group(MailState(state), stage, code, fault), count, words, last_at
        )


def group_of(key: str) -> Group | None:
    return next((f.group for f in failures() if f.group.key == key), None)
