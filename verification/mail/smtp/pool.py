"""Connections that stay open between mails."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock, Timer

from verification.mail.choices import Stage
from verification.mail.smtp.connection import Connection, open_connection
from verification.mail.smtp.errors import SmtpError
from verification.mail.smtp.faults import SmtpFault
from verification.mail.smtp.values import Account

# Some servers count the mails of a connection, and say no to more.
MAILS_OF_A_CONNECTION = 100
# After a longer pause one asks first whether the server is still there.
TRUSTED_SECONDS = 2.0
# A provider counts open connections as well: nobody holds one for nothing.
IDLE_SECONDS = 15.0


class Pool:
    """Open connections of one account that nobody uses at the moment."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._account: Account | None = None
        self._idle: list[Connection] = []
        self._timer: Timer | None = None

    def take(self, account: Account) -> Connection:
        """Return an open connection, a new one if need be; raise SmtpError if none."""
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
        """Connections of an older account say goodbye."""
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
        """End what was not used; look again while there is something."""
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
    """One thread's connection, which it keeps from mail to mail.

    `opened` is told before each mail that the server is there.
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
        """Send by `send`, anew if a connection has ended that was used before."""
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
    """Has the server ended it, or had enough mails from it?"""
    is_at_start = error.stage == Stage.MAIL_FROM and not error.permanent
    return is_at_start and error.fault in (SmtpFault.REPLY, SmtpFault.CLOSED)
