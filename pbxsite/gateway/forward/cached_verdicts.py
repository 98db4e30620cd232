"""Each process keeps its verdicts for less than a second.

One thread with a connection of its own looks up verdicts for everybody who waits, all
at once: so a page's many files cost one look-up, and a burst of visitors a few.
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

# The age counts from the start of the look-up; the rest of a second is for the answer.
MAX_AGE_SECONDS = 0.9
ASK_LIMIT_SECONDS = 5.0
MOST_COPIES = 20_000
# The thread keeps its connection for so many seconds while nobody asks.
LINGER_SECONDS = 5.0


class Copies:
    def __init__(self) -> None:
        self._copies: dict[Ticket, tuple[float, Verdict]] = {}
        self._waiting: dict[Ticket, asyncio.Future[Verdict]] = {}
        self._news = asyncio.Event()
        self._asker: asyncio.Task[None] | None = None

    def fresh(self, ticket: Ticket) -> Verdict | None:
        read_at, verdict = self._copies.get(ticket, (0.0, None))
        return verdict if time.monotonic() - read_at < MAX_AGE_SECONDS else None

    async def ask(self, ticket: Ticket) -> Verdict:
        """Look the verdict up; raise TimeoutError or the database's error."""
        waiting = self._waiting.get(ticket)
        if waiting is None:
            loop = asyncio.get_running_loop()
            waiting = self._waiting[ticket] = loop.create_future()
            # All who wait may leave before an error comes, which nobody takes then.
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
    """Close the thread's connection; call it there, for each thread has its own."""
    connection.close()
