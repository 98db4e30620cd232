"""What one client and the site say to each other, from first to last.

One task reads what the client says. What is longer than an answer, the rest of a login
and the news of a session, is a second task beside it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, NamedTuple, ParamSpec, TypeVar

from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import connection
from django.utils import translation

from authconfig.choices import Event, Origin
from authconfig.models import current_rules
from pbxsite.gateway.myapps import browser_logins, client_sessions, logins
from pbxsite.gateway.myapps.commands import Order, obey
from pbxsite.gateway.myapps.messages import (
    DIGEST,
    OAUTH2,
    SESSION,
    LoginRequest,
    domain_of,
    echo,
    login_info,
    login_request,
    login_result,
    method_for,
    update_register,
)
from pbxsite.gateway.myapps.models import BrowserLogin, BrowserState, ClientSession
from pbxsite.gateway.myapps.news import (
    FollowedSession,
    WaitingBrowser,
    differences,
    states_of,
    until,
)
from pbxsite.gateway.myapps.proofs import Asked, agree
from pbxsite.gateway.myapps.wire import (
    LONGEST,
    NORMAL,
    NOT_ALLOWED,
    OUR_FAULT,
    TRY_AGAIN,
    ClosedError,
    Message,
    Wire,
)
from verification.approval import flows
from verification.approval.choices import LoginState
from verification.approval.live.topics import PendingLogin
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code
from verification.login.stages import Shown
from verification.sessions.user_agents import of_client

P = ParamSpec("P")
T = TypeVar("T")
logger = logging.getLogger(__name__)
LOGIN_SECONDS = 30.0
# A client asks three things before it logs in.
MOST_BEFORE_LOGIN = 100
CHALLENGE_BYTES = 8


class Visitor(NamedTuple):
    """Who is at the other end, as far as the opening handshake says."""

    scope: Any
    address: str
    language: str
    build: str


@dataclass(slots=True)
class Login:
    """A login under way: what its digests are made of, and what has to end with it."""

    asked: Asked
    origin: Origin
    secret: str = ""
    key_share: str = ""
    browser: BrowserLogin | None = None
    held: LoginSession | None = None
    completing: asyncio.Task[ClientSession | logins.Failed] | None = None


class FailedError(Exception):
    def __init__(self, failed: logins.Failed) -> None:
        super().__init__(failed.text)
        self.failed = failed


class Conversation:
    """`logged_in` is called once the connection counts as logged in."""

    __slots__ = (
        *("_beside", "_challenge", "_client", "_domain", "_left", "_limit"),
        *("_logged_in", "_login", "_origin", "_visitor", "_wire"),
    )

    def __init__(
        self, wire: Wire, visitor: Visitor, logged_in: Callable[[], None]
    ) -> None:
        self._wire, self._visitor, self._logged_in = wire, visitor, logged_in
        self._left, self._domain = MOST_BEFORE_LOGIN, ""
        self._challenge: tuple[str, str] | None = None
        self._login: Login | None = None
        self._client: ClientSession | None = None
        self._origin = Origin(visitor.address)
        self._beside: asyncio.Task[None] | None = None

    async def run(self) -> None:
        try:
            await self._wire.accept()
            await self._guarded(self._converse())
        except ClosedError:
            return
        finally:
            await self._give_up()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Let whatever ends the conversation close the connection."""
        try:
            await work
        except ClosedError as end:
            await self._wire.close(end.code, end.reason)
        except AnyDatabaseError as error:
            logger.warning("myApps client: closed (%s)", type(error).__name__)
            await self._wire.close(TRY_AGAIN, "try again")
        except Exception:
            # A fault of ours: in the task beside, nobody else would hear of it.
            logger.exception("myApps client: closed")
            await self._wire.close(OUR_FAULT, "internal error")

    async def _converse(self) -> None:
        try:
            async with asyncio.timeout(LOGIN_SECONDS) as self._limit:
                while True:
                    await self._hear(await self._wire.read())
        except TimeoutError:
            raise ClosedError(NOT_ALLOWED, "no login in time") from None

    async def _hear(self, message: Message) -> None:
        if self._client:
            order = Order(self._client.pk, message, self._origin)
            answer = await self._thread(obey, order)
        else:
            self._left -= 1
            if self._left < 0:
                raise ClosedError(NOT_ALLOWED, "too many messages")
            answer = await self._answer(message)
        if answer:
            await self._wire.write(answer | echo(message))

    async def _answer(self, message: Message) -> Message | None:
        match message["mt"]:
            case "CheckBuild":
                return {"mt": "CheckBuildResult", "build": self._visitor.build}
            case "SubscribeRegister":
                return await self._thread(lambda: update_register(current_rules()))
            case "LoginInfo":
                return await self._thread(lambda: login_info(current_rules()))
            case "Login":
                await self._try(self._log_in(message))
        return None

    async def _try(self, login: Coroutine[Any, Any, None]) -> None:
        """Tell the client why a login failed; it may begin another one."""
        try:
            await login
        except FailedError as error:
            await self._clean_up()
            self._limit.reschedule(_in(LOGIN_SECONDS))
            said = {"error": error.failed.error, "errorText": error.failed.text}
            await self._wire.write({"mt": "LoginResult", **said})

    async def _log_in(self, message: Message) -> None:
        wanted = LoginRequest.of(message)
        if wanted and self._waits_for_key() and wanted.brings_key:
            self._go_on_in_browser(wanted)
            return
        # A newer login takes the place of an older one.
        await self._give_up()
        if wanted is None:
            raise FailedError(logins.invalid())
        name = of_client(wanted.user_agent)
        self._origin = Origin(self._visitor.address, name)
        self._domain = self._domain or await self._thread(
            lambda: domain_of(current_rules())
        )
        if wanted.response:
            await self._check(wanted)
        else:
            await self._ask(wanted)

    def _waits_for_key(self) -> bool:
        return bool(self._login and self._login.browser and not self._login.secret)

    async def _ask(self, wanted: LoginRequest) -> None:
        method = DIGEST
        if wanted.type != SESSION:
            method = await self._thread(
                lambda: method_for(wanted.method, current_rules())
            )
        if not method or wanted.method not in ("", method):
            raise FailedError(logins.not_offered())
        challenge = secrets.token_hex(CHALLENGE_BYTES)
        answer = {"mt": "Authenticate", "type": wanted.type, "method": method}
        answer |= {"domain": self._domain, "challenge": challenge}
        if method == OAUTH2:
            answer["url"] = await self._begin_in_browser(challenge)
        else:
            self._challenge = wanted.type, challenge
        await self._wire.write(answer)
        if self._login and wanted.brings_key:
            self._go_on_in_browser(wanted)

    async def _begin_in_browser(self, challenge: str) -> str:
        login = Login(Asked("user", self._domain, "", "", challenge), self._origin)
        request = login_request(self._visitor.scope, self._origin.user_agent)
        login.browser = _done(
            await self._thread(logins.begin_in_browser, request, self._origin)
        )
        self._login = login
        self._limit.reschedule(_in(settings.LOGIN_SESSION_TTL.total_seconds()))
        return browser_logins.address_of(login.browser)

    def _go_on_in_browser(self, wanted: LoginRequest) -> None:
        assert self._login
        try:
            self._login.key_share, self._login.secret = agree(wanted.key_share)
        except ValueError:
            raise FailedError(logins.invalid()) from None
        self._login.asked = self._login.asked._replace(nonce=wanted.nonce)
        self._begin_beside(self._try(self._await_browser(self._login)))

    async def _await_browser(self, login: Login) -> None:
        assert login.browser
        topic = WaitingBrowser(login.browser.public_id)
        over = (BrowserState.SHOWN, BrowserState.FAILED)
        await until(topic, lambda state: state in over)
        taken = await self._thread(browser_logins.take, login.browser)
        if taken is None:
            raise FailedError(logins.failed_in_browser())
        shown = logins.shown_in_browser(taken)
        login.asked = login.asked._replace(username=shown.user.name)
        await self._go_on(login, shown)

    async def _check(self, wanted: LoginRequest) -> None:
        # Each challenge is good for one answer.
        given, self._challenge = self._challenge, None
        if given is None or given[0] != wanted.type or not wanted.nonce:
            raise FailedError(logins.invalid())
        names = wanted.type, self._domain, wanted.username
        asked = Asked(*names, wanted.nonce, given[1])
        request = login_request(self._visitor.scope, self._origin.user_agent)
        response = wanted.response.lower()
        if wanted.type == SESSION:
            client = _done(
                await self._thread(logins.show_session, request, asked, response)
            )
            await self._sign_in(client, asked, client.password)
            self._begin_beside(self._tell_news(client))
            return
        proven = _done(
            await self._thread(logins.check_response, request, asked, response)
        )
        self._login = login = Login(asked, self._origin, proven.secret)
        self._begin_beside(self._try(self._go_on(login, proven.shown)))

    async def _go_on(self, login: Login, shown: Shown) -> None:
        """Wait until nothing is missing any more, and begin the session."""
        language = self._visitor.language
        ready = await self._thread(logins.go_on, shown, login.origin, language)
        if isinstance(ready, logins.Failed):
            raise FailedError(ready)
        if isinstance(ready, LoginSession):
            login.held = ready
            await self._await_approval(ready)
        work = self._thread(logins.complete, shown, ready, login.origin)
        login.completing = asyncio.create_task(work)
        client = _done(await asyncio.shield(login.completing))
        login.held = None
        await self._sign_in(client, login.asked, login.secret, login)
        await self._tell_news(client)

    async def _await_approval(self, held: LoginSession) -> None:
        self._limit.reschedule(_in(settings.LOGIN_SESSION_TTL.total_seconds() + 5))
        await self._wire.write({"mt": "Authorize", "code": int(approval_code(held))})
        topic = PendingLogin(held.public_id)
        await until(topic, lambda state: state != LoginState.PENDING)

    async def _sign_in(
        self,
        client: ClientSession,
        asked: Asked,
        secret: str,
        login: Login | None = None,
    ) -> None:
        user = client.session.user
        new = (client, login.key_share) if login else ()
        await self._wire.write(login_result(asked, secret, user, *new))
        self._client, self._wire.longest = client, LONGEST
        self._limit.reschedule(None)
        self._logged_in()
        if login:
            login.completing = None
            await self._clean_up()

    async def _tell_news(self, client: ClientSession) -> None:
        session = client.session
        topic = FollowedSession(
            session.user_id, session.session_key, session.data["method"]
        )
        # As text, of which each client keeps less than of what it says.
        known = ""
        async with aclosing(states_of(topic)) as states:
            async for state in states:
                if state == topic.gone:
                    await self._wire.write({"mt": "LogoutResult"})
                    raise ClosedError(NORMAL, "logged out")
                if state:
                    await self._tell_differences(known, state, client.public_id)
                if not (known and state):
                    await self._thread(client_sessions.keep_alive, session)
                known = state or known

    async def _tell_differences(self, known: str, state: str, own: str) -> None:
        before, now = json.loads(known or "{}"), json.loads(state)
        for message in differences(before, now, own, self._domain):
            await self._wire.write(message)

    def _begin_beside(self, work: Coroutine[Any, Any, None]) -> None:
        self._beside = asyncio.create_task(self._guarded(work))

    async def _give_up(self) -> None:
        """End what goes on beside, and what has to end with this connection."""
        beside, self._beside = self._beside, None
        if beside:
            beside.cancel()
            await asyncio.gather(beside, return_exceptions=True)
        try:
            await self._clean_up()
        except AnyDatabaseError as error:
            logger.warning("myApps client: not ended (%s)", type(error).__name__)

    async def _clean_up(self) -> None:
        login, self._login = self._login, None
        if login is None:
            return
        made = await login.completing if login.completing else None
        if isinstance(made, ClientSession):
            # It was made for a client that went away before it heard of it.
            words = (made.session, login.origin, Event.SESSION_ENDED)
            await self._thread(client_sessions.end, *words, detail="client gone")
        if login.browser:
            await self._thread(browser_logins.forget, login.browser.pk)
        if login.held:
            await self._thread(flows.end_without_client, login.held)

    async def _thread(
        self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do what needs the database; thread and connection are soon free again."""
        language = self._visitor.language

        def run() -> T:
            try:
                with translation.override(language):
                    return work(*args, **kwargs)
            finally:
                connection.close()

        # Not in the connection's own context, as asgiref has it: each client would keep
        # a connection to Redis there for as long as it stays.
        return await asyncio.get_running_loop().run_in_executor(None, run)


def _done(found: T | logins.Failed) -> T:
    if isinstance(found, logins.Failed):
        raise FailedError(found)
    return found


def _in(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds
