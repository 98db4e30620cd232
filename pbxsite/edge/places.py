"""How many logins a process works on at once, and who waits for their turn.

Each login in Django has a thread. Hundreds of them at once keep the event loop from its
turn, and with it the waiting pages and the answers to the load balancer. Whoever waits
here costs neither a thread nor a connection to the database.
"""

from __future__ import annotations

import asyncio
import io
import logging
from functools import cache
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.urls import reverse
from django.utils import translation

from authconfig.methods.places import give_back
from pbxsite.edge.responses import (
    Application,
    answer,
    refusal,
    security_headers,
    with_headers,
)
from pbxsite.errors import crowded

logger = logging.getLogger(__name__)
# More than hash at once: the others read and write meanwhile.
PLACES = 8
MOST_WAITING = 100
# As long as a process takes to start on a busy machine: a restart refuses nobody.
WAIT_SECONDS = 15.0
# The pages that check or set a password, for whoever posts to them.
PAGES = (
    "account_login",
    "account_login_mypbx",
    "account_login_again",
    "account_login_mypbx_again",
    "account_reauthenticate",
    "verification:password",
    "verification:set_password",
)


class Places:
    def __init__(self) -> None:
        self._free = asyncio.Semaphore(PLACES)
        self._waiting = 0

    async def take(self) -> Place | None:
        """Return a place, in the order of arrival, or None: it would last too long."""
        if self._waiting >= MOST_WAITING:
            return None
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            return None
        finally:
            self._waiting -= 1
        return Place(self._free)


class Place:
    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free: asyncio.Semaphore | None = free
        self._loop = asyncio.get_running_loop()

    def give_back(self) -> None:
        """Give it back, once; call it on the event loop."""
        if self._free:
            self._free.release()
            self._free = None

    def give_back_from_thread(self) -> None:
        self._loop.call_soon_threadsafe(self.give_back)


def in_turn(application: Application) -> Application:
    places = Places()

    async def waiting(scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] != "POST" or scope["path"] not in _paths():
            await application(scope, receive, send)
            return
        place = await places.take()
        if place is None:
            await _refuse(scope, send)
            return
        give_back.set(place.give_back_from_thread)
        try:
            await application(scope, receive, send)
        finally:
            place.give_back()

    return waiting


@cache
def _paths() -> frozenset[str]:
    return frozenset(map(reverse, PAGES))


async def _refuse(scope: Any, send: Any) -> None:
    request = ASGIRequest(scope, io.BytesIO())
    refused = refusal(request, ["POST"])
    if refused is None:
        # As the request's own line would be, which Django has not seen.
        logger.info("POST %s: 503, too many logins at once", scope["path"])
        with translation.override(translation.get_language_from_request(request)):
            refused = crowded()
    await answer(refused, with_headers(security_headers(request), send))
