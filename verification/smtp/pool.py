"""Connections that stay open between mails."""

from __future__ import annotations

import time
from threading import Lock, Timer

from verification.smtp.connection import Connection, open_connection
from verification.smtp.values import Account

# Some servers count the mails of a connection, and say no to more.
MAILS_OF_A_CONNECTION = 100
# After a longer pause one asks first whether the server is still there.
TRUSTED_SECONDS = 2.0
# A provider counts open connections as well: nobody holds one for nothing.
IDLE_SECONDS = 15.0


class Pool:
    """Open connections of one account at a time; threads take and return them."""

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
        is_used_up = connection.deliveries >= MAILS_OF_A_CONNECTION
        with self._lock:
            is_wanted = connection.account == self._account and not is_used_up
            if is_wanted and connection.is_usable:
                self._idle.append(connection)
                self._close_later()
                return
        connection.close()

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
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
        if self._timer is None or not self._timer.is_alive():
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


def _is_alive(connection: Connection) -> bool:
    is_fresh = time.monotonic() - connection.used_at < TRUSTED_SECONDS
    return is_fresh or connection.is_alive()
