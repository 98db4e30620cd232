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
from collections import defaultdict
from http import HTTPStatus
from importlib import import_module
from uuid import UUID

from asgiref.sync import ThreadSensitiveContext, sync_to_async
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
from django.db import close_old_connections, connection
from redis.asyncio import Redis
from redis.exceptions import RedisError

from verification.choices import LoginState
from verification.models import LoginSession
from verification.notices import CHANNEL
from verification.stages import held_login

logger = logging.getLogger(__name__)
EVENTS_PATH = "/login/waiting/events/"
KEEP_ALIVE_SECONDS = 15.0
# How often the rows are asked: often without Redis, else in case it lost a word.
POLL_SECONDS_ALONE = 0.5
POLL_SECONDS_BESIDE_REDIS = 5.0
Statuses = dict[UUID, str]


class Hub:
    """Brings decisions to the streams of this process."""

    def __init__(self) -> None:
        self._queues: defaultdict[UUID, set[asyncio.Queue[str]]] = defaultdict(set)
        self._tasks: list[asyncio.Task[None]] = []
        self._redis_is_up = False

    def join(self, public_id: UUID) -> asyncio.Queue[str]:
        """Return a queue that gets the login's status whenever it may have changed."""
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=4)
        self._queues[public_id].add(queue)
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._listen()),
                asyncio.create_task(self._poll()),
            ]
        return queue

    def leave(self, public_id: UUID, queue: asyncio.Queue[str]) -> None:
        self._queues[public_id].discard(queue)
        if not self._queues[public_id]:
            del self._queues[public_id]
        if not self._queues:
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(RedisError, OSError):
                await self._hear()
            self._redis_is_up = False
            await asyncio.sleep(1)

    async def _hear(self) -> None:
        redis = Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=1, health_check_interval=10
        )
        async with redis, redis.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL)
            self._redis_is_up = True
            await self._tell(set(self._queues))
            while True:
                message = await pubsub.get_message(
                    ignore_subscribe_messages=True, timeout=5
                )
                if message:
                    public_id = UUID(message["data"].decode())
                    await self._tell({public_id} & self._queues.keys())

    async def _poll(self) -> None:
        while True:
            up = self._redis_is_up
            await asyncio.sleep(POLL_SECONDS_BESIDE_REDIS if up else POLL_SECONDS_ALONE)
            try:
                await self._tell(set(self._queues))
            except Exception:
                # The database is away: the streams live on and hear of it later.
                logger.exception("waiting logins could not be read")

    async def _tell(self, public_ids: set[UUID]) -> None:
        if not public_ids:
            return
        for public_id, status in (await _statuses(public_ids)).items():
            for queue in self._queues.get(public_id, ()):
                with contextlib.suppress(asyncio.QueueFull):
                    queue.put_nowait(status)


hub = Hub()


@sync_to_async(thread_sensitive=False)
def _statuses(public_ids: set[UUID]) -> Statuses:
    try:
        logins = LoginSession.objects.filter(public_id__in=public_ids)
        return {login.public_id: login.status for login in logins}
    finally:
        connection.close()


def _find_login(scope: Scope) -> LoginSession | None:
    close_old_connections()
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
    async with ThreadSensitiveContext():
        login = await sync_to_async(_find_login)(scope)
    if login is None:
        # 204 tells an EventSource to stop asking.
        await _start(send, HTTPStatus.NO_CONTENT)
        await _write(send, b"", more=False)
        return
    await _start(send, HTTPStatus.OK)
    queue = hub.join(login.public_id)
    # Read after joining, so that no decision falls between.
    found = await _statuses({login.public_id})
    status = found.get(login.public_id, "expired")
    writing = asyncio.create_task(_write_statuses(queue, status, send))
    leaving = asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.leave(login.public_id, queue)
        for task in (writing, leaving):
            task.cancel()
        await asyncio.gather(writing, leaving, return_exceptions=True)


async def _write_statuses(
    queue: asyncio.Queue[str], status: str, send: ASGISendCallable
) -> None:
    written = ""
    while True:
        if status != written:
            await _write(send, f"event: state\ndata: {status}\n\n".encode())
            written = status
        if status != LoginState.PENDING:
            await _write(send, b"", more=False)
            return
        try:
            status = await asyncio.wait_for(queue.get(), KEEP_ALIVE_SECONDS)
        except TimeoutError:
            await _write(send, b": waiting\n\n")


async def _disconnected(receive: ASGIReceiveCallable) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _start(send: ASGISendCallable, status: HTTPStatus) -> None:
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
        (b"x-content-type-options", b"nosniff"),
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
