"""Brings news to the open pages of this process, through one connection to Redis.

A stream costs two tasks, but neither a thread nor a database connection.
Redis only says "look again", and the rows decide. They are also read now and then, so
that a lost word or a lost Redis delays the news by a moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Coroutine
from types import FrameType
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import connection
from redis.asyncio import Redis
from redis.exceptions import RedisError

from verification.approval.live.topics import Topic
from verification.redis_access import CHANNEL

logger = logging.getLogger(__name__)
# How often the rows are read without Redis, and beside one that may have lost a word:
# a Redis that hangs looks like one that has nothing to say.
POLL_SECONDS_ALONE = 0.5
POLL_SECONDS_BESIDE_REDIS = 0.8
# How many topics are read at once; news that come meanwhile wait for no more.
POLLED_AT_ONCE = 250


class Newest:
    """The newest state for one reader: an asyncio.Queue takes 3 KiB of each page."""

    __slots__ = ("_state", "_waiter")

    def __init__(self) -> None:
        self._state: str | None = None
        self._waiter: asyncio.Future[None] | None = None

    def put(self, state: str) -> None:
        """Take the place of a state that was not read yet."""
        self._state = state
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    async def get(self) -> str:
        while self._state is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        state, self._state = self._state, None
        return state


class Hub:
    def __init__(self) -> None:
        self._readers: defaultdict[Topic, set[Newest]] = defaultdict(set)
        self._topics: defaultdict[str, set[Topic]] = defaultdict(set)
        self._told: dict[Topic, str] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._writers: set[asyncio.Task[None]] = set()
        self._reading = asyncio.Lock()
        self._knows_of_the_end = False

    def join(self, topic: Topic) -> Newest:
        """Return what gets the topic's state whenever it may have changed."""
        # Only the newest state counts, so a slow reader misses nothing.
        newest = Newest()
        self._readers[topic].add(newest)
        self._topics[topic.word].add(topic)
        # The new page may have been rendered with another state than was told last.
        self._told.pop(topic, None)
        if not self._tasks:
            self._begin()
        return newest

    def leave(self, topic: Topic, newest: Newest) -> None:
        self._readers[topic].discard(newest)
        if not self._readers[topic]:
            self._forget(topic)
        if not self._readers:
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    def _forget(self, topic: Topic) -> None:
        del self._readers[topic]
        self._told.pop(topic, None)
        self._topics[topic.word].discard(topic)
        if not self._topics[topic.word]:
            del self._topics[topic.word]

    def write(self, writing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(writing)
        self._writers.add(task)
        task.add_done_callback(self._writers.discard)
        return task

    def end(self) -> None:
        for task in self._writers:
            task.cancel()

    def _begin(self) -> None:
        self._alone = asyncio.Event()
        self._alone.set()
        self._tasks = [
            asyncio.create_task(self._listen()),
            asyncio.create_task(self._poll()),
        ]
        if not self._knows_of_the_end:
            self._knows_of_the_end = True
            _chain_sigterm(asyncio.get_running_loop(), self.end)

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear()
            except (RedisError, OSError, AnyDatabaseError) as error:
                logger.warning("events: not listening (%s)", type(error).__name__)
            if _is_cancelled():
                return
            self._alone.set()
            await asyncio.sleep(1)

    async def _hear(self) -> None:
        redis = Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=1, health_check_interval=10
        )
        async with redis, redis.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL)
            self._alone.clear()
            await self._read_all()
            while not _is_cancelled():
                message = await pubsub.get_message(
                    ignore_subscribe_messages=True, timeout=5
                )
                if message:
                    await self._tell(self._named(message["data"]))

    def _named(self, data: bytes) -> list[Topic]:
        """Return the topics of the words; other words are nobody's."""
        words = data.decode(errors="replace").split()
        return [topic for word in words for topic in self._topics.get(word, ())]

    async def _poll(self) -> None:
        while True:
            # Not wait_for: until Python 3.12 it may swallow a cancellation.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS_BESIDE_REDIS):
                    await self._alone.wait()
                    await asyncio.sleep(POLL_SECONDS_ALONE)
            try:
                await self._read_all()
            except AnyDatabaseError as error:
                # The streams live on, and a later round tells them.
                logger.warning("events: not read (%s)", type(error).__name__)

    async def _read_all(self) -> None:
        topics = list(self._readers)
        for start in range(0, len(topics), POLLED_AT_ONCE):
            await self._tell(topics[start : start + POLLED_AT_ONCE])

    async def _tell(self, topics: Collection[Topic]) -> None:
        if not topics:
            return
        # One round after the other, or an older answer could follow a newer one.
        async with self._reading:
            for topic, state in (await states(topics, only_news=True)).items():
                if topic in self._readers and self._told.get(topic) != state:
                    self._told[topic] = state
                    self._hand_out(topic, state)

    def _hand_out(self, topic: Topic, state: str) -> None:
        for newest in self._readers[topic]:
            newest.put(state)


def _is_cancelled() -> bool:
    """Was this task cancelled? Redis' client may swallow it while it connects."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _chain_sigterm(loop: asyncio.AbstractEventLoop, end: Callable[[], None]) -> None:
    """End the streams when the server has to end: it would wait for them for ever."""
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread():
        return
    if not callable(before):
        return

    def chained(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(end)
        before(number, frame)

    signal.signal(signal.SIGTERM, chained)


hub = Hub()


@sync_to_async(thread_sensitive=False)
def states(topics: Collection[Topic], *, only_news: bool = False) -> dict[Topic, str]:
    classes: defaultdict[type[Topic], list[Topic]] = defaultdict(list)
    for topic in topics:
        classes[type(topic)].append(topic)
    found: dict[Topic, str] = {}
    try:
        for topic_class, followed in classes.items():
            found |= topic_class.states(followed, only_news=only_news)
    finally:
        connection.close()
    return found
