"""The time by the database's clock, which is the same for all processes of a site.

A lease that one machine writes is read by others, whose clocks may go wrong. So what
several processes compare is told by the database's clock: by this process's own, and
how much that differs. On SQLite both are the clock of the same machine.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from django.db import Error as AnyDatabaseError
from django.db import connection
from django.utils import timezone

logger = logging.getLogger(__name__)
# A clock that is being corrected is believed no longer than this.
COMPARED_EVERY = 30.0  # seconds
# Clocks that are kept by a time server differ by less.
UNNOTED_SECONDS = 1.0
# From here on operators are told.
TOLD_SECONDS = 5.0
CLOCK = "SELECT clock_timestamp()"


class DatabaseClock:
    """How far the database's clock is ahead of this process's, in seconds."""

    def __init__(self) -> None:
        self.is_asked = True
        self.ahead = 0.0
        self._compared_at = float("-inf")

    def now(self) -> datetime:
        """Return the database's time; it never fails, but may ask the database."""
        if time.monotonic() - self._compared_at > COMPARED_EVERY:
            self.compare()
        return timezone.now() + timedelta(seconds=self.ahead)

    def compare(self) -> None:
        if not self.is_asked or connection.vendor != "postgresql":
            return
        self._compared_at = began = time.monotonic()
        try:
            with connection.cursor() as cursor:
                cursor.execute(CLOCK)
                (there,) = cursor.fetchone()
        except AnyDatabaseError as error:
            logger.warning("clocks not compared (%s)", type(error).__name__)
            return
        took = time.monotonic() - began
        ahead = (there - timezone.now()).total_seconds() + took / 2
        self.ahead = ahead if abs(ahead) > UNNOTED_SECONDS + took else 0.0


database_clock = DatabaseClock()
database_now = database_clock.now
