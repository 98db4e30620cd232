"""The mails that one run has claimed: claimed in good time while others go out."""

from __future__ import annotations

import logging
import time
from threading import Condition, Event

from django.db import Error as DatabaseFault

from verification.mail import claims
from verification.mail.choices import MailPriority
from verification.mail.models import OutgoingEmail

logger = logging.getLogger(__name__)
# Set when more mails became due; whoever looks for mails clears it.
woken = Event()
# A run makes room for its worker's other tasks, and for its end, after so long.
RUN_SECONDS = 5.0
# Claimed at once at most, by a run whose server is quick.
MOST_CLAIMED = 100
QUICK_SECONDS = 0.4
# While recordings go out, one looks for more urgent mails so often at least.
GLANCE_SECONDS = 0.05


class Stock:
    """The mails that this run has claimed, the most urgent first."""

    def __init__(self, fewest: int) -> None:
        self.held: dict[int, OutgoingEmail] = {}
        self.is_closed = False
        self._turn = Condition()
        self._waiting: list[OutgoingEmail] = []
        self._is_looking = self._is_quick = False
        self._fewest = self._size = fewest
        self._looked_at = 0.0
        self._closes_at = time.monotonic() + RUN_SECONDS

    @property
    def has_more(self) -> bool:
        return bool(self._waiting)

    def take(self) -> OutgoingEmail | None:
        """One thread looks for more in good time, while the others go on."""
        with self._turn:
            while self._is_looking and not self._waiting:
                self._turn.wait()
            if self._is_looking or not self._has_to_look():
                return self._pop()
            self._is_looking = True
            wanted = self._wanted()
        return self._look(wanted)

    def finish(self, mail: OutgoingEmail) -> None:
        """Hold it no longer, unless it was claimed anew in the meantime."""
        with self._turn:
            if self.held.get(mail.pk) is mail:
                del self.held[mail.pk]

    def mails(self) -> list[OutgoingEmail]:
        with self._turn:
            return list(self.held.values())

    def _look(self, wanted: int) -> OutgoingEmail | None:
        claimed: list[OutgoingEmail] = []
        try:
            claimed = claims.claim(wanted)
        except DatabaseFault as error:
            # What was claimed before goes out first.
            if not self.has_more:
                raise
            logger.warning("no more mails claimed (%s)", type(error).__name__)
        finally:
            with self._turn:
                self._is_looking = False
                self._is_quick &= len(claimed) == wanted
                self._add(claimed)
                self._turn.notify_all()
                mail = self._pop()
        return mail

    def _add(self, claimed: list[OutgoingEmail]) -> None:
        self.held |= {mail.pk: mail for mail in claimed}
        # Sorting keeps the order among equals.
        self._waiting = sorted(self._waiting + claimed, key=lambda mail: mail.priority)
        self._looked_at = time.monotonic()

    def _pop(self) -> OutgoingEmail | None:
        return self._waiting.pop(0) if self._waiting else None

    def _has_to_look(self) -> bool:
        self.is_closed = time.monotonic() > self._closes_at
        if self.is_closed or not self._waiting:
            return not self.is_closed
        if self._is_quick and len(self._waiting) <= self._size // 2:
            return True
        only_recordings = self._waiting[0].priority == MailPriority.LATER
        is_long_ago = time.monotonic() - self._looked_at > GLANCE_SECONDS
        return only_recordings and (is_long_ago or woken.is_set())

    def _wanted(self) -> int:
        """Claim more from a quick server's queue; what waits here nobody else sends."""
        woken.clear()
        if len(self._waiting) <= self._size // 2:
            self._is_quick = time.monotonic() - self._looked_at < QUICK_SECONDS
            size = 2 * self._size if self._is_quick else self._size // 2
            self._size = max(min(size, MOST_CLAIMED), self._fewest)
        return max(self._size - len(self._waiting), 1)
