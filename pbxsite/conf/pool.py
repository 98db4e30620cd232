"""The pool of connections to PostgreSQL that each process has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

# How long a server that refuses a connection is left alone.
RECONNECT_SECONDS = 0.2


class Asking:
    """How many threads wait for a connection; the pool counts those who gave up too."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = Lock()

    @contextmanager
    def one_more(self) -> Iterator[None]:
        self._add(1)
        try:
            yield
        finally:
            self._add(-1)

    def _add(self, number: int) -> None:
        with self._lock:
            self.count += number


asking = Asking()


def options(size: int, *, timeout: int) -> dict[str, Any]:
    """Return what psycopg's pool is made with; `timeout` is in seconds."""
    return {
        "min_size": min(size, 4),
        "max_size": size,
        "timeout": timeout,
        # The second try comes then and is the last; whoever waits has it begin anew.
        "reconnect_timeout": RECONNECT_SECONDS,
        "reconnect_failed": go_on,
        "max_idle": 60,
    }


def go_on(pool: ConnectionPool) -> None:
    """Let a pool that gave up connect anew if somebody waits for it."""
    # Nobody else is a reason to knock at a server that is down.
    if asking.count:
        pool.check()
