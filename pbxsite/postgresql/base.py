"""The database backend: Django's own, with a pool that gives no dead connection.

A server that restarts, and a pooler, end all connections at once. The pool finds out
one by one, and waits a second, two and four between them; of a server that refuses, it
asks again no sooner. A login waits for that, though the server is long back. And where
queries have a limit, waiting for the server's answer has one as well (patience.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import OperationalError
from django.db.backends.postgresql import base

from pbxsite.conf.databases import ANSWER_SECONDS, STATEMENT_SECONDS
from pbxsite.conf.pool import asking
from pbxsite.postgresql.patience import AFTER_THE_SERVERS, patience

if TYPE_CHECKING:
    from psycopg import Connection

# The pool opens new connections in place of the dead ones before it gives one of them.
TRIES = 3


class DatabaseWrapper(base.DatabaseWrapper):
    # When the pools of this process were emptied last, by the monotonic clock.
    _emptied: ClassVar[dict[str, float]] = {}

    def get_connection_params(self) -> dict[str, Any]:
        parameters: dict[str, Any] = super().get_connection_params()
        # libpq does not know them.
        for own in (STATEMENT_SECONDS, ANSWER_SECONDS):
            parameters.pop(own, None)
        return parameters

    def init_connection_state(self) -> None:
        super().init_connection_state()
        if self._answer_seconds and self._patiently not in self.execute_wrappers:
            self.execute_wrappers.append(self._patiently)

    @property
    def _answer_seconds(self) -> int:
        seconds: int = self.settings_dict["OPTIONS"].get(ANSWER_SECONDS, 0)
        return seconds

    def _patiently(self, execute: Callable[..., Any], *words: Any) -> Any:
        with self._patience():
            return execute(*words)

    def _commit(self) -> None:
        with self._patience():
            super()._commit()  # type: ignore[misc]  # not in the stubs

    def _patience(self) -> AbstractContextManager[None]:
        """Give up once the server's own limit is over; without one wait for ever."""
        if not self._answer_seconds or self.connection is None:
            return nullcontext()
        seconds = self._answer_seconds + AFTER_THE_SERVERS
        return patience.within(self.connection, seconds)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        """Return one that is alive, or raise OperationalError after some tries."""
        connection: Connection
        if self.pool is None:
            connection = super().get_new_connection(conn_params)
            self._limit_statements(connection)
            return connection
        for _ in range(TRIES):
            asked = time.monotonic()
            with asking.one_more():
                connection = super().get_new_connection(conn_params)
            if self._is_alive(connection):
                return connection
            self._replace(connection, asked)
        raise OperationalError("The database ends each connection that it accepts.")

    def _is_alive(self, connection: Connection) -> bool:
        try:
            if not self._limit_statements(connection):
                self.pool.check_connection(connection)
        except self.Database.Error:
            return False
        return True

    def _limit_statements(self, connection: Connection) -> bool:
        """Tell the server how long a query may take, if it was not told at the start.

        A pooler that gives out sessions makes them new for the next client.
        """
        seconds = self.settings_dict["OPTIONS"].get(STATEMENT_SECONDS)
        if seconds:
            connection.execute(f"SET statement_timeout = '{seconds}s'")
            if not connection.autocommit:
                connection.commit()
        return bool(seconds)

    def _replace(self, connection: Connection, asked: float) -> None:
        """Give a dead connection back, and with it all that were there beside it."""
        self.pool.putconn(connection)
        # Another thread may have done so while this one still looked at its own.
        if asked > self._emptied.get(self.alias, 0.0):
            self._emptied[self.alias] = time.monotonic()
            self.pool.drain()
