"""Connections to an SMTP server, and those that are kept open between mails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from email.message import EmailMessage
from threading import Lock, Thread, Timer
from types import TracebackType
from typing import Self

from django.db import connections

from authconfig.trial import Progress
from verification.mail.account import Account, Pace
from verification.mail.choices import SmtpStage
from verification.mail.smtp.conversation import Conversation
from verification.mail.smtp.delivery import deliver
from verification.mail.smtp.errors import SmtpError
from verification.mail.smtp.faults import SmtpFault
from verification.mail.smtp.opening import open_conversation
from verification.mail.smtp.wire_format import refuse_control_characters

logger = logging.getLogger(__name__)
# Seconds for commands on which no mail depends.
SMALL_TALK_LIMIT = 5.0
QUIT_LIMIT = 2.0
# While this share of its mails goes over a connection, the next one is opened.
LAST_MAILS = 0.3
# How long a server may count a connection after its end, in steps.
PAUSES_AFTER_ANOTHER = (0.05, 0.1, 0.2, 0.4, 0.8)
# After a longer pause the server is asked first whether it is still there.
TRUSTED_SECONDS = 2.0
# Providers count open connections too, so an idle one is closed soon.
IDLE_SECONDS = 15.0


def open_connection(account: Account, progress: Progress | None = None) -> Connection:
    refuse_control_characters(
        account.server, account.client_host_name, account.email_address
    )
    talk = Conversation(account, progress)
    try:
        open_conversation(talk)
    except BaseException:
        _hang_up(talk)
        raise
    return Connection(talk)


class Connection:
    """Belongs to one thread; `open_connection()` makes it."""

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self.deliveries = 0
        self.used_at = time.monotonic()

    @property
    def account(self) -> Account:
        return self._talk.account

    @property
    def is_usable(self) -> bool:
        return self._talk.client.is_usable

    @property
    def mails_left(self) -> int:
        return self.account.mails_per_connection - self.deliveries

    @property
    def is_nearly_used_up(self) -> bool:
        share = self.account.mails_per_connection
        return self.mails_left <= max(int(share * LAST_MAILS), 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def send(
        self,
        message: EmailMessage,
        *,
        sender: str,
        recipient: str,
        progress: Progress | None = None,
        before_data: Callable[[], None] | None = None,
    ) -> str:
        """Deliver the message and return the server's words.

        `before_data` runs when the server has asked for the content, right before
        its first byte. An exception of it ends the delivery and the connection.
        """
        refuse_control_characters(sender, recipient)
        talk = self._talk
        talk.progress = progress
        talk.data_begun = talk.handed_over = False
        self.deliveries += 1
        try:
            return deliver(talk, message, sender, recipient, before_data)
        except BaseException:
            _take_back(talk)
            raise
        finally:
            self.used_at = time.monotonic()

    def is_alive(self) -> bool:
        if not self.is_usable:
            return False
        with suppress(OSError), self._talk.limit(SMALL_TALK_LIMIT) as client:
            return client.noop()[0] == 250
        return False

    def close(self) -> None:
        _hang_up(self._talk)


def _hang_up(talk: Conversation) -> None:
    if not talk.is_open:
        return
    with suppress(OSError), talk.limit(QUIT_LIMIT) as client:
        if client.is_usable:
            client.docmd("QUIT")
    with suppress(OSError):
        talk.client.close()


def _take_back(talk: Conversation) -> None:
    client = talk.client
    with suppress(OSError), talk.limit(SMALL_TALK_LIMIT):
        client.settle()
        if client.is_usable:
            client.rset()
            return
    client.close()


class Pool:
    """Holds the open connections of one account that no thread uses at the moment.

    It counts those that threads use as well, and remembers the server's pace.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._account: Account | None = None
        self._idle: list[Connection] = []
        self._timer: Timer | None = None
        # All that stand, are being opened or closed; and those of threads that send.
        self._standing = 0
        self._at_work: set[Connection] = set()
        self._is_opening_ahead = False
        self.pace = Pace()

    def turn_to(self, account: Account) -> None:
        """Leave what is known of another account."""
        if account != self._account:
            self.close()
            with self._lock:
                self._account = account

    def take(self, account: Account, *, is_urgent: bool = False) -> Connection:
        connection = self._take_idle(account, is_urgent=is_urgent)
        return self._use(connection or self._open(account))

    def replace(
        self, old: Connection, account: Account, *, is_urgent: bool
    ) -> Connection:
        """Return another connection for one that has had its mails."""
        kept = self._take_idle(account, is_urgent=is_urgent)
        if kept or self.pace.connections is None:
            self._leave(old)
            self._close_aside(old)
        else:
            # The server takes the new one only where the old one has ended.
            self.give_back(old)
        return self._use(kept or self._open_after_another(account))

    def give_back(self, connection: Connection) -> None:
        self._leave(connection)
        with self._lock:
            if connection.account == self._account and _has_a_future(connection):
                self._idle.append(connection)
                self._close_later()
                return
        self._close(connection)

    def open_ahead(self, account: Account, most: int) -> None:
        """Open a connection that replaces the next one that has had its mails.

        A server that counts connections strictly gets none beyond what it takes.
        """
        allowed = self.pace.connections or most + 1
        with self._lock:
            is_needed = not self._idle and not self._is_opening_ahead
            if not is_needed or account != self._account or self._standing >= allowed:
                return
            self._is_opening_ahead = True
        Thread(target=self._open_ahead, args=(account,), daemon=True).start()

    def has_room(self, most: int) -> bool:
        """May one more thread have a connection, without more than these?"""
        with self._lock:
            return bool(self._idle) or self._standing < most

    def mails_left(self) -> int:
        """Return how many mails the connections at work can still carry."""
        with self._lock:
            return sum(connection.mails_left for connection in self._at_work)

    def is_crowded(self, error: SmtpError) -> bool:
        """Has the server refused a further connection while others are at work?

        It then gets no further ones for a while.
        """
        with self._lock:
            others, standing = len(self._at_work), self._standing
        if not (error.is_while_opening and others):
            return False
        if error.is_busy:
            self.pace.note_connections(standing)
        return True

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
            if self._timer:
                self._timer.cancel()
                self._timer = None
            self.pace.forget()
        for connection in idle:
            self._close(connection)

    def _take_idle(self, account: Account, *, is_urgent: bool) -> Connection | None:
        while kept := self._pop(account):
            if _is_good(kept, is_urgent=is_urgent):
                return kept
            # Nobody has to wait until it is closed.
            self._close_aside(kept)
        return None

    def _pop(self, account: Account) -> Connection | None:
        """Return a kept connection; close those of an older account."""
        self.turn_to(account)
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _use(self, connection: Connection) -> Connection:
        with self._lock:
            self._at_work.add(connection)
        return connection

    def _leave(self, connection: Connection) -> None:
        with self._lock:
            self._at_work.discard(connection)

    def _open(self, account: Account) -> Connection:
        with self._lock:
            self._standing += 1
        try:
            return open_connection(account)
        except BaseException:
            with self._lock:
                self._standing -= 1
            raise

    def _open_after_another(self, account: Account) -> Connection:
        """A server may count a connection for a moment after its end."""
        for pause in PAUSES_AFTER_ANOTHER:
            try:
                return self._open(account)
            except SmtpError as error:
                if error.stage == SmtpStage.AUTH or not (error.is_busy and error.code):
                    raise
            time.sleep(pause)
        return self._open(account)

    def _open_ahead(self, account: Account) -> None:
        try:
            connection = self._open(account)
        except SmtpError as error:
            logger.info("no connection in advance (%s)", error.stage)
            if error.is_busy:
                self.pace.note_connections(self._standing)
        except Exception:
            logger.exception("no connection in advance")
        else:
            self.give_back(self._use(connection))
        finally:
            self._is_opening_ahead = False
            # This thread may have read the token's row.
            connections.close_all()

    def _close(self, connection: Connection) -> None:
        connection.close()
        with self._lock:
            self._standing -= 1

    def _close_aside(self, connection: Connection) -> None:
        Thread(target=self._close, args=(connection,), daemon=True).start()

    def _close_later(self) -> None:
        if self._timer is None:
            self._timer = Timer(IDLE_SECONDS, self._close_idle)
            self._timer.daemon = True
            self._timer.start()

    def _close_idle(self) -> None:
        since = time.monotonic() - IDLE_SECONDS
        with self._lock:
            old = [c for c in self._idle if c.used_at <= since]
            self._idle = [c for c in self._idle if c.used_at > since]
            self._timer = None
            if self._idle:
                self._close_later()
        for connection in old:
            self._close(connection)


class Line:
    """Holds one thread's connection from mail to mail.

    It calls `opened` before each mail, once the server is known to be there.
    """

    def __init__(self, pool: Pool, opened: Callable[[Connection], None]) -> None:
        self._pool = pool
        self._opened = opened
        self._connection: Connection | None = None

    def open(self, account: Account, *, is_urgent: bool = False) -> Connection:
        kept, self._connection = self._connection, None
        if kept and kept.account != account:
            self._pool.give_back(kept)
            kept = None
        if kept and not _has_a_future(kept):
            kept = self._pool.replace(kept, account, is_urgent=is_urgent)
        self._connection = kept or self._pool.take(account, is_urgent=is_urgent)
        return self._connection

    def send(
        self,
        account: Account,
        send: Callable[[Connection], str],
        *,
        is_urgent: bool = False,
    ) -> str:
        """Send by `send`; if a connection that was used before has ended, send anew."""
        connection = self.open(account, is_urgent=is_urgent)
        self._opened(connection)
        try:
            return send(connection)
        except SmtpError as error:
            if connection.deliveries == 1 or not _is_tired(error):
                raise
        connection.close()
        return self.send(account, send, is_urgent=is_urgent)

    def close(self) -> None:
        if self._connection:
            self._pool.give_back(self._connection)
            self._connection = None


def _is_good(connection: Connection, *, is_urgent: bool) -> bool:
    """After a pause an urgent mail goes over a new connection.

    Exim counts the mails of a connection, and leaves those beyond its limit lying.
    """
    if time.monotonic() - connection.used_at < TRUSTED_SECONDS:
        return True
    if is_urgent and connection.deliveries:
        return False
    return connection.is_alive()


def _has_a_future(connection: Connection) -> bool:
    return connection.is_usable and connection.mails_left > 0


def _is_tired(error: SmtpError) -> bool:
    """Has the server ended the connection, or taken all the mails it wants by it?"""
    is_at_start = error.stage == SmtpStage.MAIL_FROM and not error.permanent
    return is_at_start and error.fault in (SmtpFault.REPLY, SmtpFault.CLOSED)
