"""Server-sent events for open pages, as an ASGI application: each page has a stream.

Behind Django's middleware each stream would hold a thread and a database connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from importlib import import_module

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
from django.http import HttpRequest

from authconfig.clients.session_kinds import is_myapps
from verification.approval.live import hub as hubs
from verification.approval.live.topics import PendingLogin, SignedInSession, Topic
from verification.approval.pending import pending_login
from verification.sessions.factors import is_missing
from verification.sessions.lifecycle import shown_key
from verification.sessions.signed_in import user_of

logger = logging.getLogger(__name__)
EVENTS_PATH = "/login/waiting/events/"
KEEP_ALIVE_SECONDS = 15.0


def _pending_login(request: HttpRequest) -> Topic | None:
    login = pending_login(request)
    return PendingLogin(login.public_id) if login else None


def _signed_in_session(request: HttpRequest) -> Topic | None:
    user = user_of(request.session)
    if user is None:
        return None
    request.user = user
    key = request.session.session_key or ""
    decides = is_myapps(request) and not is_missing(request)
    return SignedInSession(user.pk, key, decides=decides)


STREAMS: dict[str, Callable[[HttpRequest], Topic | None]] = {
    EVENTS_PATH: _pending_login,
    "/account/events/": _signed_in_session,
}


@sync_to_async(thread_sensitive=False)
def _find_topic(scope: Scope) -> Topic | None:
    """Find what this browser's page may follow, without touching its session."""
    assert scope["type"] == "http"
    try:
        request = ASGIRequest(scope, io.BytesIO())
        store = import_module(settings.SESSION_ENGINE).SessionStore
        request.session = store(shown_key(request) or None)
        request.user = AnonymousUser()
        return STREAMS[scope["path"]](request)
    finally:
        connection.close()


async def stream(
    scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
) -> None:
    try:
        topic = await _find_topic(scope)
    except AnyDatabaseError as error:
        logger.warning("events: no stream (%s)", type(error).__name__)
        await _answer(send, HTTPStatus.SERVICE_UNAVAILABLE, (b"retry-after", b"5"))
        return
    if topic is None:
        # 204 tells an EventSource to stop asking.
        await _answer(send, HTTPStatus.NO_CONTENT)
        return
    await _start(send, HTTPStatus.OK)
    await _follow(topic, receive, send)
    await _write(send, b"", more=False)


async def _follow(
    topic: Topic, receive: ASGIReceiveCallable, send: ASGISendCallable
) -> None:
    newest = hubs.hub.join(topic)
    writing = hubs.hub.write(_write_states(topic, newest, send))
    leaving = asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hubs.hub.leave(topic, newest)
        for task in (writing, leaving):
            task.cancel()
        await asyncio.gather(writing, leaving, return_exceptions=True)


async def _write_states(
    topic: Topic, newest: hubs.Newest, send: ASGISendCallable
) -> None:
    # Read after joining, or a change between the two would be lost.
    found = await hubs.states({topic})
    state, written, written_at = found.get(topic, topic.gone), "", 0.0
    while True:
        if state != written:
            await _write(send, topic.event(state).encode())
            written, written_at = state, time.monotonic()
        elif time.monotonic() - written_at >= KEEP_ALIVE_SECONDS:
            await _write(send, b": waiting\n\n")
            written_at = time.monotonic()
        if topic.is_last(state):
            return
        left = written_at + KEEP_ALIVE_SECONDS - time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                state = await newest.get()


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
        (b"x-accel-buffering", b"no"),
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
