"""Each process's copies of the answers, none of them older than a second.

What has to be asked is asked for all who wait for it at once, in a thread with a
connection of its own: so a page's many files cost one look at the rows, and a burst of
visitors a few.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from django.db import Error as AnyDatabaseError
from django.db import connection

from pbxsite.gateway.forward.lookups import Verdict, look_up
from pbxsite.gateway.forward.requests import Ticket

# Counted from when the rows began to be read; the rest of a second is for the answer.
MAX_AGE_SECONDS = 0.9
ASK_LIMIT_SECONDS = 5.0
MOST_COPIES = 20_000
# For so long the thread keeps its connection while nobody asks.
LINGER_SECONDS = 5.0


class Copies:
    def __init__(self) -> None:
        self._copies: dict[Ticket, tuple[float, Verdict]] = {}
        self._waiting: dict[Ticket, asyncio.Future[Verdict]] = {}
        self._news = asyncio.Event()
        self._asker: asyncio.Task[None] | None = None

    def fresh(self, ticket: Ticket) -> Verdict | None:
        """Return the copy if it is young enough: no query, no thread, no wait."""
        read_at, verdict = self._copies.get(ticket, (0.0, None))
        return verdict if time.monotonic() - read_at < MAX_AGE_SECONDS else None

    async def ask(self, ticket: Ticket) -> Verdict:
        """Ask the rows; raises TimeoutError or the database's error."""
        waiting = self._waiting.get(ticket)
        if waiting is None:
            loop = asyncio.get_running_loop()
            waiting = self._waiting[ticket] = loop.create_future()
            # Whoever waited may have left before the error came.
            waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._news.set()
        if self._asker is None or self._asker.done():
            self._asker = asyncio.create_task(self._ask_for_all())
        async with asyncio.timeout(ASK_LIMIT_SECONDS):
            return await asyncio.shield(waiting)

    async def _ask_for_all(self) -> None:
        thread = ThreadPoolExecutor(1, "forward-auth")
        try:
            while await self._is_asked():
                await self._ask_once(thread)
        finally:
            thread.submit(_hang_up)
            thread.shutdown(wait=False)

    async def _is_asked(self) -> bool:
        self._news.clear()
        if self._waiting:
            return True
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                return await self._news.wait()
        except TimeoutError:
            return bool(self._waiting)

    async def _ask_once(self, thread: ThreadPoolExecutor) -> None:
        asked, self._waiting = self._waiting, {}
        read_at, loop = time.monotonic(), asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(thread, _look_up, asked.keys())
        except Exception as error:
            for waiting in asked.values():
                waiting.set_exception(error)
            if isinstance(error, AnyDatabaseError):
                return
            raise
        self._forget_old(read_at)
        for ticket, verdict in found.items():
            self._copies[ticket] = read_at, verdict
            asked[ticket].set_result(verdict)

    def _forget_old(self, now: float) -> None:
        if len(self._copies) > MOST_COPIES:
            oldest = now - MAX_AGE_SECONDS
            self._copies = {t: c for t, c in self._copies.items() if c[0] > oldest}


def _look_up(tickets: Collection[Ticket]) -> dict[Ticket, Verdict]:
    is_kept = connection.connection is not None
    try:
        return look_up(tickets)
    except AnyDatabaseError:
        connection.close()
        if not is_kept:
            raise
    # The server may have closed the connection that was kept.
    return look_up(tickets)


def _hang_up() -> None:
    """In the thread whose connection it is; `connection` is another one in each."""
    connection.close()
