"""Leaving Redis alone for a while after it failed.

Each question to a silent Redis costs its time limit, and a login asks several. All that
a login wants of Redis has a second way: the process's memory, the sweep, the rows.
"""

from __future__ import annotations

import time


class Outage:
    """Of one process; it ends by itself, so that Redis is asked again."""

    SECONDS = 3.0

    def __init__(self) -> None:
        self._ends_at = 0.0

    def begin(self) -> None:
        self._ends_at = time.monotonic() + self.SECONDS

    def end(self) -> None:
        self._ends_at = 0.0

    def is_on(self) -> bool:
        return time.monotonic() < self._ends_at


redis_outage = Outage()
