"""Claiming many mails by one statement, and recording many by one.

What each of them does for a single mail is in `claims`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Condition, Event, Lock
from typing import Any

from django.db import DatabaseError, connection
from django.db import Error as AnyDatabaseError
from django.utils import timezone

from authconfig.choices import Event as Audited
from authconfig.network import database_now
from authconfig.users.models import AuditEvent
from verification.mail import claims
from verification.mail.choices import MailPriority, MailState
from verification.mail.claims import LostClaimError
from verification.mail.models import OutgoingEmail

logger = logging.getLogger(__name__)
# Set when more mails became due; the thread that looks for mails clears it.
woken = Event()
# A run gives way to its worker's other tasks, and to its end, after so long.
RUN_SECONDS = 5.0
# A run whose server is quick claims at most so many at once.
MOST_CLAIMED = 100
QUICK_SECONDS = 0.4
# While recordings go out, a run looks for more urgent mails at least so often.
GLANCE_SECONDS = 0.05
# Django's own statement costs several times as much, and every mail takes this one.
NOTE_DATA_BEGINS = f"""
UPDATE {OutgoingEmail._meta.db_table} SET data_began_at = %s
WHERE id = %s AND attempts = %s AND state = '{MailState.SENDING}'
AND lease_expires_at > %s
"""  # noqa: S608  # names and constants of ours
# For PostgreSQL alone: many mails, with their lines in the audit log, in one go. It
# avoids "state =", for which the server would rather read the index of states, with
# every row that was being sent since the last vacuum.
WRITTEN = f"""
WITH written AS (
  UPDATE {OutgoingEmail._meta.db_table} AS mail SET
    state = CASE WHEN is_sent THEN '{MailState.SENT}' ELSE mail.state END,
    data_began_at = CASE WHEN is_sent THEN mail.data_began_at ELSE new.at END,
    ended_at = CASE WHEN is_sent THEN new.at END,
    stage = CASE WHEN is_sent THEN '' ELSE mail.stage END,
    fault = CASE WHEN is_sent THEN '' ELSE mail.fault END,
    code = CASE WHEN is_sent THEN 250 ELSE mail.code END,
    words = CASE WHEN is_sent THEN new.words ELSE mail.words END
  FROM (VALUES %s) AS new (id, attempts, is_sent, at, words, user_name)
  WHERE mail.id = new.id AND mail.attempts = new.attempts
    AND CASE WHEN is_sent THEN mail.state IS DISTINCT FROM '{MailState.SENT}'
      ELSE mail.state IS NOT DISTINCT FROM '{MailState.SENDING}'
        AND mail.lease_expires_at > new.at END
  RETURNING mail.id, kind, user_id, is_sent, at, new.words, user_name
), told AS (
  INSERT INTO {AuditEvent._meta.db_table}
    (at, event, user_id, user_name, kind, method, user_agent, detail, proof)
  SELECT at, '{Audited.MAIL_SENT}', user_id, user_name, '', '', '',
    kind || ' ' || id || ': {MailState.SENT} ' || words, ''
  FROM written WHERE is_sent
)
SELECT id FROM written WHERE NOT is_sent
"""  # noqa: S608
WRITTEN_ROW = "(%s, %s, %s, %s::timestamptz, %s, %s)"


class Stock:
    """The mails that one run has claimed, the most urgent first.

    It claims more while earlier ones go out, and the more the quicker the server is.
    `least_urgent` says which mails may go out at the moment, or none by None. What is
    `unwritten` has gone out, though its row does not say so yet: it is never claimed.
    """

    def __init__(
        self,
        fewest: int,
        least_urgent: Callable[[], MailPriority | None] = lambda: MailPriority.LATER,
        unwritten: Callable[[], set[int]] = set,
    ) -> None:
        self._least_urgent, self._unwritten = least_urgent, unwritten
        self.held: dict[int, OutgoingEmail] = {}
        self.is_closed = False
        self._turn = Condition()
        self._waiting: list[OutgoingEmail] = []
        self._is_looking = self._is_quick = self._is_all = False
        self._fewest = self._size = fewest
        self._looked_at = 0.0
        self._closes_at = time.monotonic() + RUN_SECONDS

    @property
    def has_more(self) -> bool:
        return bool(self._waiting)

    def exceeds(self, count: int) -> bool:
        """Are there, as far as is known, more mails than this that wait?"""
        return not self._is_all or len(self._waiting) > count

    def take(self) -> OutgoingEmail | None:
        """Return the next mail; one thread looks for more while the others go on."""
        with self._turn:
            while self._is_looking and not self._waiting:
                self._turn.wait()
            if self._is_looking or not self._has_to_look():
                return self._pop()
            self._is_looking = True
            wanted = self._wanted()
        return self._look(wanted)

    def finish(self, mail: OutgoingEmail) -> None:
        """Hold the mail no longer, unless it was claimed anew in the meantime."""
        with self._turn:
            if self.held.get(mail.pk) is mail:
                del self.held[mail.pk]

    def mails(self) -> list[OutgoingEmail]:
        with self._turn:
            return list(self.held.values())

    def leave(self) -> list[OutgoingEmail]:
        """Hold those mails no longer that nobody has taken; return them."""
        with self._turn:
            left, self._waiting = self._waiting, []
            for mail in left:
                del self.held[mail.pk]
        return left

    def _look(self, wanted: int) -> OutgoingEmail | None:
        claimed: list[OutgoingEmail] = []
        try:
            if (least := self._least_urgent()) is not None:
                only = {} if least == MailPriority.LATER else {"priority": least}
                claimed = claims.claim(wanted, but=self._unwritten(), **only)
        except AnyDatabaseError as error:
            # Mails that were claimed before go out first.
            if not self.has_more:
                raise
            logger.warning("no more mails claimed (%s)", type(error).__name__)
        finally:
            with self._turn:
                self._is_looking = False
                self._is_all = len(claimed) < wanted
                self._is_quick &= not self._is_all
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
        least = self._least_urgent() if self._waiting else None
        if least is None or self._waiting[0].priority > least:
            return None
        return self._waiting.pop(0)

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
        """A slow server's run claims few: no other worker can send what waits here."""
        woken.clear()
        if len(self._waiting) <= self._size // 2:
            self._is_quick = time.monotonic() - self._looked_at < QUICK_SECONDS
            size = 2 * self._size if self._is_quick else self._size // 2
            self._size = max(min(size, MOST_CLAIMED), self._fewest)
        return max(self._size - len(self._waiting), 1)


@dataclass(frozen=True)
class Sent:
    """A mail that the server took, with its words."""

    mail: OutgoingEmail
    words: str
    at: datetime


@dataclass(eq=False)
class Beginning:
    """A mail whose thread waits until its content may go out."""

    mail: OutgoingEmail
    # Its thread wakes to find that another one has written, or that it writes for all.
    woken: Event = field(default_factory=Event)
    is_done = False
    is_ours = False
    error: DatabaseError | None = None


class Recorder:
    """Lets one thread write at a time; what comes meanwhile is written together.

    The beginning of a mail is committed before its thread goes on. That it was sent
    may be written by any thread.
    """

    def __init__(self) -> None:
        self._beginnings: list[Beginning] = []
        self._sent: list[Sent] = []
        # The keys of those, and of those that a statement is just writing.
        self._unwritten: set[int] = set()
        self._lock = Lock()
        self._is_writing = False

    def unwritten(self) -> set[int]:
        """Return the keys of mails that are sent, which their rows do not say yet."""
        with self._lock:
            return set(self._unwritten)

    def note_data_begins(self, mail: OutgoingEmail) -> None:
        """Record that the content goes out now; raises LostClaimError if it must not.

        Another worker may have claimed the mail since.
        """
        beginning = Beginning(mail)
        with self._lock:
            self._beginnings.append(beginning)
            writes = self._take_turn()
        if not writes:
            beginning.woken.wait()
        if not beginning.is_done:
            self._write()
        if beginning.error:
            raise DatabaseError(f"mail {mail.pk} cannot begin") from beginning.error
        if not beginning.is_ours:
            raise LostClaimError(mail.pk)

    def add(self, mail: OutgoingEmail, words: str) -> None:
        sent = Sent(mail, words, timezone.now())
        with self._lock:
            self._sent.append(sent)
            self._unwritten.add(mail.pk)
            writes = self._take_turn()
        if writes:
            self._write()

    def flush(self) -> None:
        """Record what was kept because the database was away."""
        with self._lock:
            writes = bool(self._sent) and self._take_turn()
        if writes:
            self._write()

    def _take_turn(self) -> bool:
        """Return whether this thread writes; one that writes already writes for all."""
        is_free, self._is_writing = not self._is_writing, True
        return is_free

    def _write(self) -> None:
        goes_on = True
        while goes_on:
            is_written = False
            try:
                self._write_waiting()
                is_written = True
            finally:
                goes_on = self._end_turn(is_written=is_written)

    def _end_turn(self, *, is_written: bool) -> bool:
        """Hand on to a thread that waits; return whether to go on if there is none."""
        with self._lock:
            if self._beginnings:
                self._beginnings[0].woken.set()
                return False
            self._is_writing = is_written and bool(self._sent)
            return self._is_writing

    def _write_waiting(self) -> None:
        with self._lock:
            beginnings, self._beginnings = self._beginnings, []
            sent, self._sent = self._sent, []
        try:
            ours = write_down([one.mail for one in beginnings], sent)
            for one in beginnings:
                one.is_ours = one.mail.pk in ours
            with self._lock:
                self._unwritten -= {one.mail.pk for one in sent}
        except DatabaseError as error:
            with self._lock:
                self._sent = sent + self._sent
            for one in beginnings:
                one.error = error
            raise
        finally:
            for one in beginnings:
                one.is_done = True
                one.woken.set()


def write_down(beginning: Sequence[OutgoingEmail], sent: Sequence[Sent]) -> set[int]:
    """Record whose content begins, and what the server took, unless a claim was lost.

    If a worker dies after the beginning, nobody knows whether the mail went out.
    Returns the keys of the mails that may begin, since they are still ours.
    """
    now = database_now()
    if connection.vendor == "postgresql" and (sent or len(beginning) > 1):
        begun = _write_at_once(beginning, sent, now)
    else:
        for one in sent:
            claims.note_sent(one.mail, one.words, one.at)
        begun = {mail.pk for mail in beginning if _note_data_begins(mail, now)}
    for mail in beginning:
        if mail.pk in begun:
            mail.data_began_at = now
    return begun


def _note_data_begins(mail: OutgoingEmail, now: datetime) -> bool:
    at = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        cursor.execute(NOTE_DATA_BEGINS, [at, mail.pk, mail.attempts, at])
        return bool(cursor.rowcount == 1)


def _write_at_once(
    beginning: Sequence[OutgoingEmail], sent: Sequence[Sent], now: datetime
) -> set[int]:
    values = list[Any]()
    for one in sent:
        mail = one.mail
        name = mail.user.name if mail.user else ""
        values += mail.pk, mail.attempts, True, one.at, one.words, name
    for mail in beginning:
        values += mail.pk, mail.attempts, False, now, "", ""
    rows = ", ".join([WRITTEN_ROW] * (len(sent) + len(beginning)))
    with connection.cursor() as cursor:
        cursor.execute(WRITTEN % rows, values)
        return {key for (key,) in cursor.fetchall()}
