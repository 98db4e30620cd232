"""What is written down of every mail, by one statement for all threads that wait."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event, Lock

from django.db import DatabaseError
from django.utils import timezone

from verification.mail import claims
from verification.mail.claims import LostClaimError, Sent
from verification.mail.models import OutgoingEmail


@dataclass(eq=False)
class Beginning:
    """A mail whose thread waits until its content may go out."""

    mail: OutgoingEmail
    # Its thread finds that another one has written for it, or has to write for all.
    woken: Event = field(default_factory=Event)
    is_done = False
    is_ours = False
    error: DatabaseError | None = None


class Recorder:
    """One thread writes at a time; what comes meanwhile is written together.

    A mail's beginning is committed before its thread goes on; that it was sent may be
    written by any thread.
    """

    def __init__(self) -> None:
        self._beginnings: list[Beginning] = []
        self._sent: list[Sent] = []
        self._lock = Lock()
        self._is_writing = False

    def note_data_begins(self, mail: OutgoingEmail) -> None:
        """Raise LostClaimError if the mail is somebody else's now."""
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
            writes = self._take_turn()
        if writes:
            self._write()

    def flush(self) -> None:
        """What could not be recorded was kept for this time."""
        with self._lock:
            writes = bool(self._sent) and self._take_turn()
        if writes:
            self._write()

    def _take_turn(self) -> bool:
        """Whoever writes already will see to it that all is written."""
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
            ours = claims.write_down([one.mail for one in beginnings], sent)
            for one in beginnings:
                one.is_ours = one.mail.pk in ours
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
