"""The logins of the last day by the hour, as a picture that the server draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count, QuerySet
from django.db.models.functions import TruncHour
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from authconfig.choices import Event
from authconfig.users.models import AuditEvent
from verification.approval.choices import LoginState
from verification.approval.models import LoginSession

HOURS = 24
# The drawing's own units; the page stretches it.
WIDTH, HEIGHT = 960, 120
GAP = 0.2
LOG = "admin:users_auditevent_changelist"
WAITING_LIST = "admin:approval_loginsession_changelist"
EVENTS = {
    Event.LOGIN: "succeeded",
    Event.LOGIN_FAILED: "failed",
    Event.LOGIN_REJECTED: "rejected",
}


@dataclass
class Hour:
    """`waiting` counts logins that nobody has decided, in time or yet."""

    at: datetime
    succeeded: int = 0
    failed: int = 0
    rejected: int = 0
    waiting: int = 0

    @property
    def sum(self) -> int:
        return self.succeeded + self.failed + self.rejected + self.waiting


@dataclass(frozen=True)
class Series:
    """One colour of the picture; `link` lists its logins."""

    name: str
    label: str | Promise
    link: str
    count: int


@dataclass(frozen=True)
class Part:
    name: str
    y: str
    height: str


@dataclass(frozen=True)
class Bar:
    """A bar with its numbers as SVG writes them, whatever the reader's language."""

    hour: Hour
    x: str
    width: str
    parts: list[Part]


@dataclass(frozen=True)
class LoginChart:
    bars: list[Bar]
    series: list[Series]
    # The number that reaches the top; the hours in which something happened.
    top: int
    rows: list[Hour]
    begins_at: datetime
    middle_at: datetime


def by_hour(now: datetime) -> list[Hour]:
    """Return the last 24 hours, the last one still under way."""
    last = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [Hour(last - timedelta(hours=n)) for n in reversed(range(HOURS))]
    places = {hour.at: hour for hour in hours}
    events = AuditEvent.objects.filter(event__in=EVENTS, at__gte=hours[0].at)
    for at, event, count in _counted(events, "at", "event"):
        if at in places:
            setattr(places[at], EVENTS[Event(event)], count)
    pending = LoginSession.objects.filter(state=LoginState.PENDING)
    undecided = pending.filter(created_at__gte=hours[0].at)
    for at, _state, count in _counted(undecided, "created_at", "state"):
        if at in places:
            places[at].waiting = count
    return hours


def _counted(
    rows: QuerySet[Any], moment: str, name: str
) -> Iterator[tuple[datetime, str, int]]:
    hours = rows.order_by().values_list(TruncHour(moment, tzinfo=UTC), name)
    yield from hours.annotate(count=Count("pk"))


def chart(hours: Sequence[Hour]) -> LoginChart:
    top = max(1, *(hour.sum for hour in hours))
    return LoginChart(
        bars=[_bar(n, hour, top) for n, hour in enumerate(hours) if hour.sum],
        series=_series(hours),
        top=top,
        rows=[hour for hour in reversed(hours) if hour.sum],
        begins_at=hours[0].at,
        middle_at=hours[len(hours) // 2].at,
    )


def _series(hours: Sequence[Hour]) -> list[Series]:
    log = reverse(LOG)
    waiting = f"{reverse(WAITING_LIST)}?state__exact={LoginState.PENDING.value}"
    return [
        Series(name, label, link, sum(getattr(hour, name) for hour in hours))
        for name, label, link in (
            ("succeeded", _("succeeded"), f"{log}?event__exact={Event.LOGIN.value}"),
            ("waiting", _("waiting, or never approved"), waiting),
            ("failed", _("failed"), f"{log}?event__exact={Event.LOGIN_FAILED.value}"),
            (
                "rejected",
                _("rejected"),
                f"{log}?event__exact={Event.LOGIN_REJECTED.value}",
            ),
        )
    ]


# From the bottom to the top; even a single rejection is visible.
PARTS = ("succeeded", "waiting", "failed", "rejected")
LEAST = 2.0


def _bar(number: int, hour: Hour, top: int) -> Bar:
    step = WIDTH / HOURS
    heights = _heights([getattr(hour, name) for name in PARTS], top)
    parts, y = [], float(HEIGHT)
    for name, height in zip(PARTS, heights, strict=True):
        y -= height
        if height:
            parts.append(Part(name, f"{y:.1f}", f"{height:.1f}"))
    x = number * step + step * GAP / 2
    return Bar(hour, f"{x:.1f}", f"{step * (1 - GAP):.1f}", parts)


def _heights(counts: Sequence[int], top: int) -> list[float]:
    """Return heights that none of the counts leaves invisible, and the top holds."""
    heights = [max(LEAST, HEIGHT * n / top) if n else 0.0 for n in counts]
    over = sum(heights) - HEIGHT
    if over > 0:
        tallest = heights.index(max(heights))
        heights[tallest] -= over
    return heights
