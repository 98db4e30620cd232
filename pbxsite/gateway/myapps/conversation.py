"""What one client and the site say to each other, from first to last."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import Error as AnyDatabaseError
from django.db import connection

from authconfig.models import current_rules
from pbxsite.gateway.myapps.messages import login_info, update_register
from pbxsite.gateway.myapps.wire import NOT_ALLOWED, ClosedError, Message, Wire

P = ParamSpec("P")
T = TypeVar("T")
logger = logging.getLogger(__name__)
LOGIN_SECONDS = 30.0
# A client asks three things before it logs in.
MOST_BEFORE_LOGIN = 50
TRY_AGAIN = 1013


class Conversation:
    """`logged_in` is called once, when the connection counts as logged in."""

    __slots__ = ("_build", "_left", "_limit", "_logged_in", "_scope", "_wire")

    def __init__(
        self, wire: Wire, scope: Any, build: str, logged_in: Callable[[], None]
    ) -> None:
        self._wire, self._scope, self._build = wire, scope, build
        self._logged_in = logged_in
        self._left = MOST_BEFORE_LOGIN

    async def run(self) -> None:
        try:
            await self._wire.accept()
            await self._converse()
            await self._wire.close(NOT_ALLOWED, "no login in time")
        except ClosedError as end:
            await self._wire.close(end.code, end.reason)
        except AnyDatabaseError as error:
            logger.warning("myApps client: closed (%s)", type(error).__name__)
            await self._wire.close(TRY_AGAIN, "try again")

    async def _converse(self) -> None:
        try:
            async with asyncio.timeout(LOGIN_SECONDS) as self._limit:
                while True:
                    await self._handle(await self._wire.read())
        except TimeoutError:
            return

    async def _handle(self, message: Message) -> None:
        self._left -= 1
        if self._left < 0:
            raise ClosedError(NOT_ALLOWED, "too many messages")
        answer = await self._answer_before_login(message)
        if answer:
            await self._wire.write(answer | _echo(message))

    async def _answer_before_login(self, message: Message) -> Message | None:
        match message["mt"]:
            case "CheckBuild":
                return {"mt": "CheckBuildResult", "build": self._build}
            case "SubscribeRegister":
                return await in_thread(lambda: update_register(current_rules()))
            case "LoginInfo":
                return await in_thread(lambda: login_info(current_rules()))
        return None


def _echo(message: Message) -> Message:
    """What a request calls itself comes back with its answer."""
    return {"src": message["src"]} if isinstance(message.get("src"), str) else {}


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do what needs the database; the thread and the connection are soon free again."""

    def run() -> T:
        try:
            return work(*args, **kwargs)
        finally:
            connection.close()

    return await sync_to_async(run, thread_sensitive=False)()
