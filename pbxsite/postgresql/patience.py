"""A limit for what the server's own limit leaves out.

PostgreSQL counts a statement's time until its work is done: a commit that then waits
for a standby waits for ever. Told to give up, it has committed without the standby.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

# How often the thread looks, and how long it takes to tell the server.
LOOKS_EVERY, CANCELS_WITHIN = 0.5, 2.0
# The server's own limit comes first.
AFTER_THE_SERVERS = 2.0


class Patience:
    """Cancels what has been under way for too long: one thread for all connections."""

    def __init__(self) -> None:
        self._until: dict[Any, float] = {}
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @contextmanager
    def within(self, connection: Any, seconds: float) -> Iterator[None]:
        """Have psycopg's `connection` told to give up after so many seconds."""
        before = self._until.get(connection)
        until = time.monotonic() + seconds
        self._until[connection] = min(until, before or until)
        self._have_a_thread()
        try:
            yield
        finally:
            self._until.pop(connection, None)
            if before:
                self._until[connection] = before

    def _have_a_thread(self) -> None:
        # A copy of a process has none.
        if self._thread and self._thread.is_alive():
            return
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look, daemon=True)
                self._thread.start()

    def _look(self) -> None:
        while True:
            time.sleep(LOOKS_EVERY)
            for connection, until in self._until.copy().items():
                if time.monotonic() > until and self._until.pop(connection, 0.0):
                    _give_up(connection)


def _give_up(connection: Any) -> None:
    # Who is not reached is left to TCP's own limits (conf/databases.py). A site without
    # PostgreSQL does not load psycopg, whose errors these are.
    with suppress(Exception):
        connection.cancel_safe(timeout=CANCELS_WITHIN)


patience = Patience()
