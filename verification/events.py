"""Server-sent events for waiting browsers: a raw ASGI application.

A stream costs a queue and two tasks, but neither a thread nor a database connection:
one reader for each process hears of decisions through Redis. What it hears is only
"look again"; the row decides, and is asked now and then in any case.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from importlib import import_module
from types import FrameType
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from asgiref.typing import (
    ASGIReceiveCallable,
    ASGISendCallable,
    HTTPResponseBodyEvent,
    HTTPResponseStartEvent,
    Scope,
)
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.handlers.asgi import ASGIRequest
from django.db import Error as AnyDatabaseError
from django.db import connection
from redis.asyncio import Redis
from redis.exceptions import RedisError

from verification.choices import LoginState
from verification.models import LoginSession
from verification.notices import CHANNEL
from verification.stages import held_login

logger = logging.getLogger(__name__)
EVENTS_PATH = "/login/waiting/events/"
KEEP_ALIVE_SECONDS = 15.0
# How often the rows are asked: without Redis, and beside one that may have lost a
# word. A Redis that hangs looks like one that has nothing to say.
POLL_SECONDS_ALONE = 0.5
POLL_SECONDS_BESIDE_REDIS = 0.8
Statuses = dict[UUID, str]


class Hub:
    """Brings decisions to the streams of this process."""

    def __init__(self) -> None:
        self._queues: defaultdict[UUID, set[asyncio.Queue[str]]] = defaultdict(set)
        self._tasks: list[asyncio.Task[None]] = []
        self._writers: set[asyncio.Task[None]] = set()
        self._knows_of_the_end = False

    def join(self, public_id: UUID) -> asyncio.Queue[str]:
        """Return a queue that gets the login's status whenever it may have changed."""
        # Only the newest status counts: a slow reader misses none that matters.
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=1)
        self._queues[public_id].add(queue)
        if not self._tasks:
            self._begin()
        return queue

    def leave(self, public_id: UUID, queue: asyncio.Queue[str]) -> None:
        self._queues[public_id].discard(queue)
        if not self._queues[public_id]:
            del self._queues[public_id]
        if not self._queues:
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    def write(self, writing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run what writes a stream, until it ends or the server does."""
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
            await self._tell(set(self._queues))
            while not _is_cancelled():
                message = await pubsub.get_message(
                    ignore_subscribe_messages=True, timeout=5
                )
                if message:
                    await self._tell(_named(message["data"]) & self._queues.keys())

    async def _poll(self) -> None:
        while True:
            # Not wait_for: until Python 3.12 it may swallow a cancellation.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS_BESIDE_REDIS):
                    await self._alone.wait()
                    await asyncio.sleep(POLL_SECONDS_ALONE)
            try:
                await self._tell(set(self._queues))
            except AnyDatabaseError as error:
                # The streams live on and hear of it later.
                logger.warning("events: not read (%s)", type(error).__name__)

    async def _tell(self, public_ids: set[UUID]) -> None:
        if not public_ids:
            return
        for public_id, status in (await _statuses(public_ids, over=True)).items():
            for queue in self._queues.get(public_id, ()):
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(status)


def _is_cancelled() -> bool:
    """The client of Redis may swallow a cancellation that comes while it connects."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _named(data: bytes) -> set[UUID]:
    """Read a word from the channel; what is none is nobody's."""
    try:
        return {UUID(data.decode())}
    except ValueError:
        return set()


def _chain_sigterm(loop: asyncio.AbstractEventLoop, end: Callable[[], None]) -> None:
    """End the streams when the server is told to: it would wait for them for ever."""
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
def _statuses(public_ids: set[UUID], *, over: bool = False) -> Statuses:
    """Ask for those alone that wait no more: of many, few have changed."""
    try:
        rows = LoginSession.objects.over() if over else LoginSession.objects.all()
        logins = rows.filter(public_id__in=public_ids)
        return {login.public_id: login.status for login in logins}
    finally:
        connection.close()


@sync_to_async(thread_sensitive=False)
def _find_login(scope: Scope) -> LoginSession | None:
    try:
        request = ASGIRequest(scope, io.BytesIO())
        store = import_module(settings.SESSION_ENGINE).SessionStore
        request.session = store(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
        request.user = AnonymousUser()
        _stage, login = held_login(request)
        return login
    finally:
        connection.close()


async def stream(
    scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
) -> None:
    """Stream the status of this browser's waiting login until it is decided."""
    if scope["type"] != "http" or scope["method"] != "GET":
        await _answer(send, HTTPStatus.METHOD_NOT_ALLOWED, (b"allow", b"GET"))
        return
    try:
        login = await _find_login(scope)
    except AnyDatabaseError as error:
        logger.warning("events: no stream (%s)", type(error).__name__)
        await _answer(send, HTTPStatus.SERVICE_UNAVAILABLE, (b"retry-after", b"5"))
        return
    if login is None:
        # 204 tells an EventSource to stop asking.
        await _answer(send, HTTPStatus.NO_CONTENT)
        return
    await _start(send, HTTPStatus.OK)
    await _follow(login.public_id, receive, send)
    await _write(send, b"", more=False)


async def _follow(
    public_id: UUID, receive: ASGIReceiveCallable, send: ASGISendCallable
) -> None:
    queue = hub.join(public_id)
    writing = hub.write(_write_statuses(public_id, queue, send))
    leaving = asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.leave(public_id, queue)
        for task in (writing, leaving):
            task.cancel()
        await asyncio.gather(writing, leaving, return_exceptions=True)


async def _write_statuses(
    public_id: UUID, queue: asyncio.Queue[str], send: ASGISendCallable
) -> None:
    # Read after joining, so that no decision falls between.
    found = await _statuses({public_id})
    status, written, written_at = found.get(public_id, "expired"), "", 0.0
    while True:
        if status != written:
            await _write(send, f"event: state\ndata: {status}\n\n".encode())
            written, written_at = status, time.monotonic()
        elif time.monotonic() - written_at >= KEEP_ALIVE_SECONDS:
            await _write(send, b": waiting\n\n")
            written_at = time.monotonic()
        if status != LoginState.PENDING:
            return
        left = written_at + KEEP_ALIVE_SECONDS - time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                status = await queue.get()


async def _disconnected(receive: ASGIReceiveCallable) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(
    send: ASGISendCallable, status: HTTPStatus, *headers: tuple[bytes, bytes]
) -> None:
    await _start(send, status, *headers)
    await _write(send, b"", more=False)


async def _start(
    send: ASGISendCallable, status: HTTPStatus, *more: tuple[bytes, bytes]
) -> None:
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
        (b"x-content-type-options", b"nosniff"),
        *more,
    ]
    await send(
        HTTPResponseStartEvent(
            type="http.response.start", status=status, headers=headers, trailers=False
        )
    )


async def _write(send: ASGISendCallable, body: bytes, *, more: bool = True) -> None:
    await send(
        HTTPResponseBodyEvent(type="http.response.body", body=body, more_body=more)
    )
