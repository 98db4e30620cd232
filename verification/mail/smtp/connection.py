"""Connections to an SMTP server, and those that are kept open between mails."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from email.message import EmailMessage
from threading import Lock, Timer
from types import TracebackType
from typing import Self

from authconfig.trial import Progress
from verification.mail.account import Account
from verification.mail.choices import SmtpStage
from verification.mail.smtp.conversation import Conversation
from verification.mail.smtp.delivery import deliver
from verification.mail.smtp.errors import SmtpError
from verification.mail.smtp.faults import SmtpFault
from verification.mail.smtp.opening import open_conversation
from verification.mail.smtp.wire_format import refuse_control_characters

# Seconds for commands on which no mail depends.
SMALL_TALK_LIMIT = 5.0
QUIT_LIMIT = 2.0
# Some servers count the mails of a connection, and refuse further ones.
MAILS_OF_A_CONNECTION = 100
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
    """Holds the open connections of one account that no thread uses at the moment."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._account: Account | None = None
        self._idle: list[Connection] = []
        self._timer: Timer | None = None

    def take(self, account: Account) -> Connection:
        while kept := self._pop(account):
            if _is_alive(kept):
                return kept
            kept.close()
        return open_connection(account)

    def give_back(self, connection: Connection) -> None:
        with self._lock:
            if connection.account == self._account and _has_a_future(connection):
                self._idle.append(connection)
                self._close_later()
                return
        connection.close()

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
            if self._timer:
                self._timer.cancel()
                self._timer = None
        for connection in idle:
            connection.close()

    def _pop(self, account: Account) -> Connection | None:
        """Return a kept connection; close those of an older account."""
        if account != self._account:
            self.close()
        with self._lock:
            self._account = account
            return self._idle.pop() if self._idle else None

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
            connection.close()


class Line:
    """Holds one thread's connection from mail to mail.

    It calls `opened` before each mail, once the server is known to be there.
    """

    def __init__(self, pool: Pool, opened: Callable[[], None]) -> None:
        self._pool = pool
        self._opened = opened
        self._connection: Connection | None = None

    def open(self, account: Account) -> Connection:
        kept = self._connection
        if kept and kept.account == account and _has_a_future(kept):
            return kept
        self.close()
        self._connection = self._pool.take(account)
        return self._connection

    def send(self, account: Account, send: Callable[[Connection], str]) -> str:
        """Send by `send`; if a connection that was used before has ended, send anew."""
        connection = self.open(account)
        self._opened()
        try:
            return send(connection)
        except SmtpError as error:
            if connection.deliveries == 1 or not _is_tired(error):
                raise
        connection.close()
        return self.send(account, send)

    def close(self) -> None:
        if self._connection:
            self._pool.give_back(self._connection)
            self._connection = None


def _is_alive(connection: Connection) -> bool:
    is_fresh = time.monotonic() - connection.used_at < TRUSTED_SECONDS
    return is_fresh or connection.is_alive()


def _has_a_future(connection: Connection) -> bool:
    return connection.is_usable and connection.deliveries < MAILS_OF_A_CONNECTION


def _is_tired(error: SmtpError) -> bool:
    """Has the server ended the connection, or taken all the mails it wants by it?"""
    is_at_start = error.stage == SmtpStage.MAIL_FROM and not error.permanent
    return is_at_start and error.fault in (SmtpFault.REPLY, SmtpFault.CLOSED)
