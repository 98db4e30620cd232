"""Bars for an SVG, drawn by the server; a table beside them says the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pbxsite.administration.queue.report import Bin

# The drawing's own units; the page stretches it.
WIDTH, HEIGHT = 960, 120
GAP = 0.2


@dataclass(frozen=True)
class Bar:
    """A bar with its numbers as SVG writes them, whatever the reader's language."""

    x: str
    width: str
    sent_y: str
    sent_height: str
    failed_y: str
    failed_height: str
    bin: Bin


@dataclass(frozen=True)
class Chart:
    bars: list[Bar]
    # The number that reaches the top; the stretches in which something happened.
    top: int
    rows: list[Bin]
    sent: int
    failed: int
    begins_at: datetime
    middle_at: datetime


def chart(bins: Sequence[Bin]) -> Chart:
    top = max(1, *(each.sent + each.failed for each in bins))
    return Chart(
        bars=[
            _bar(number, each, len(bins), top)
            for number, each in enumerate(bins)
            if each.sent or each.failed
        ],
        top=top,
        rows=[each for each in reversed(bins) if each.sent or each.failed],
        sent=sum(each.sent for each in bins),
        failed=sum(each.failed for each in bins),
        begins_at=bins[0].at,
        middle_at=bins[len(bins) // 2].at,
    )


def _bar(number: int, each: Bin, count: int, top: int) -> Bar:
    step = WIDTH / count
    # Failures stand on top of what was sent; even a single one is visible.
    failed = max(2.0, HEIGHT * each.failed / top) if each.failed else 0.0
    sent = min(HEIGHT * each.sent / top, HEIGHT - failed)
    return Bar(
        x=f"{number * step + step * GAP / 2:.1f}",
        width=f"{step * (1 - GAP):.1f}",
        sent_y=f"{HEIGHT - sent:.1f}",
        sent_height=f"{sent:.1f}",
        failed_y=f"{HEIGHT - sent - failed:.1f}",
        failed_height=f"{failed:.1f}",
        bin=each,
    )
