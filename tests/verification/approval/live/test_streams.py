from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from authconfig.choices import Origin
from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from pbxsite.embedded.supervisor import Family
from tests.conftest import Starter
from tests.support.services import ROOT, start_redis
from tests.support.streams import Stream, in_thread, listening, told, until
from verification.approval import flows
from verification.approval.choices import Decision
from verification.approval.live import hub as hubs
from verification.approval.live import streams as events
from verification.approval.live.topics import PendingLogin
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code
from verification.redis_access import CHANNEL, redis_client
from verification.sessions.choices import Approver

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("hub"),
]
PENDING = "event: state\ndata: pending\n\n"
ACCEPTED = "event: state\ndata: accepted\n\n"


@pytest.fixture
def start(user: PbxUser) -> Starter:
    """Start a login of the user's, without the task that would send its mail."""

    def post(browser: Browser, login: str = "anna", **extra: Any) -> Any:
        data = {"login": login, "password": "correct horse battery"}
        return browser.post("/login/", data)

    return post


def decide(login: LoginSession, decision: Decision = Decision.ACCEPT) -> None:
    approver, origin = Approver.EMAIL, Origin("127.0.0.1", "")
    if decision is Decision.ACCEPT:
        code = approval_code(login)
        flows.accept(login, code, approver=approver, origin=origin)
    else:
        flows.reject(login, approver=approver, origin=origin)


@pytest.mark.parametrize("decision", Decision)
def test_a_decision_is_told_within_a_second_and_ends_the_stream(
    browser: Browser, held: LoginSession, hub: hubs.Hub, decision: Decision
) -> None:
    async def story() -> None:
        stream = Stream(browser)
        assert await stream.open() == 200
        assert await stream.read() == PENDING
        await listening(hub)

        await in_thread(lambda: decide(held, decision))

        assert await stream.read(1) == f"event: state\ndata: {decision}ed\n\n"
        assert await stream.read(1) == ""
        await stream.communicator.wait(timeout=1)

    told(story())


def test_a_browser_without_a_pending_login_is_told_to_stop(
    held: LoginSession, admin_client_myapps: Browser
) -> None:
    forged = Browser()
    forged.cookies["pbx_session"] = "x" * 32

    async def story() -> None:
        for other in (Browser(), forged, admin_client_myapps):
            stream = Stream(other)
            assert await stream.open() == 204
            assert await stream.read() == ""

    told(story())


def test_the_owners_own_other_browser_follows_nothing(
    start: Starter, held: LoginSession, two_factor: AuthenticationSettings
) -> None:
    mypbx = Browser()
    mypbx.post("/mypbx/login/", {"login": "anna", "password": "correct horse battery"})
    assert mypbx.get("/account/").status_code == 200

    async def story() -> None:
        assert await Stream(mypbx).open() == 204

    told(story())


def test_each_browser_follows_its_own_login(
    browser: Browser, held: LoginSession, administrator: PbxUser, hub: hubs.Hub
) -> None:
    other = Browser()
    other.post("/login/", {"login": "admin", "password": "correct horse battery"})

    async def story() -> None:
        streams = Stream(browser), Stream(other)
        for stream in streams:
            await stream.open()
            assert await stream.read() == PENDING
        await listening(hub)

        await in_thread(lambda: decide(held))

        assert await streams[0].read(1) == ACCEPTED
        assert await streams[1].is_silent(0.3)
        await streams[1].leave()

    told(story())


def test_a_stream_opened_again_after_the_decision_tells_it_and_ends(
    browser: Browser, held: LoginSession
) -> None:
    decide(held)

    async def story() -> None:
        for _ in range(2):
            stream = Stream(browser)
            assert await stream.open() == 200
            assert [await stream.read(), await stream.read()] == [ACCEPTED, ""]

    told(story())


def test_after_the_login_the_old_and_the_new_session_follow_nothing(
    browser: Browser, held: LoginSession
) -> None:
    old = Browser()
    old.cookies = browser.cookies.copy()
    decide(held)
    assert browser.post("/login/waiting/continue/").url == "/account/"

    async def story() -> None:
        assert await Stream(old).open() == 204
        assert await Stream(browser).open() == 204

    told(story())


def test_expiry_is_told_and_ends_the_stream(
    browser: Browser, held: LoginSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "POLL_SECONDS_BESIDE_REDIS", 0.2)
    soon = timezone.now() + timedelta(seconds=1)
    LoginSession.objects.update(expires_at=soon)

    async def story() -> None:
        stream = Stream(browser)
        await stream.open()
        assert await stream.read() == PENDING
        assert await stream.read(3) == "event: state\ndata: expired\n\n"
        assert await stream.read(1) == ""

    told(story())


def test_a_quiet_stream_is_kept_alive(
    browser: Browser, held: LoginSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE_SECONDS", 0.3)
    monkeypatch.setattr(hubs, "POLL_SECONDS_BESIDE_REDIS", 0.1)
    monkeypatch.setattr(hubs, "POLL_SECONDS_ALONE", 0.1)

    async def story() -> None:
        stream = Stream(browser)
        await stream.open()
        assert await stream.read() == PENDING
        assert [await stream.read(1) for _ in range(3)] == [": waiting\n\n"] * 3
        await stream.leave()

    told(story())


def test_without_redis_a_decision_is_still_told_within_a_second(
    browser: Browser, held: LoginSession, settings: Settings
) -> None:
    settings.REDIS_URL = "unix:///tmp/there-is-no-redis.sock"

    async def story() -> None:
        stream = Stream(browser)
        await stream.open()
        assert await stream.read() == PENDING
        await asyncio.sleep(1)

        await in_thread(lambda: decide(held))

        assert await stream.read(1) == ACCEPTED

    told(story())


@pytest.mark.database
def test_of_many_streams_each_is_asked_for_though_in_pieces(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    browser: Browser,
    held: LoginSession,
    administrator: PbxUser,
) -> None:
    monkeypatch.setattr(hubs, "POLLED_AT_ONCE", 1)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    other = Browser()
    other.post("/login/", {"login": "admin", "password": "correct horse battery"})
    logins = [held, LoginSession.objects.get(user=administrator)]

    async def story() -> None:
        streams = Stream(browser), Stream(other)
        for stream in streams:
            await stream.open()
            assert await stream.read() == PENDING

        for login in logins:
            await in_thread(lambda login=login: decide(login))

        assert [await stream.read(2) for stream in streams] == [ACCEPTED, ACCEPTED]

    told(story())


def test_a_redis_that_goes_away_is_replaced_by_asking_at_once(
    browser: Browser, held: LoginSession, hub: hubs.Hub, settings: Settings
) -> None:
    with own_redis() as (url, end):
        settings.REDIS_URL = url

        async def story() -> None:
            stream = Stream(browser)
            await stream.open()
            assert await stream.read() == PENDING
            await listening(hub)
            end()
            await until(hub._alone.is_set)

            await in_thread(lambda: decide(held))

            assert await stream.read(1) == ACCEPTED

        told(story())


def test_readers_that_leave_at_once_leave_no_listener(
    browser: Browser, held: LoginSession, hub: hubs.Hub
) -> None:
    async def story() -> None:
        alone = asyncio.all_tasks()
        for number in range(40):
            newest = hub.join(PendingLogin(held.public_id))
            await asyncio.sleep(number * 0.0002)
            hub.leave(PendingLogin(held.public_id), newest)
        async with asyncio.timeout(2):
            while asyncio.all_tasks() != alone:
                await asyncio.sleep(0.02)

    told(story())


@contextmanager
def own_redis() -> Iterator[tuple[str, Callable[[], None]]]:
    with tempfile.TemporaryDirectory(prefix="pbx-", dir="/tmp") as name:
        family = Family(ROOT, Path(name) / "log", os.environ)
        try:
            yield start_redis(family, Path(name)), family.children[0].end
        finally:
            family.end()
            if family.guard.stdin:
                family.guard.stdin.close()


def test_nonsense_on_the_channel_deafens_nobody(
    browser: Browser, held: LoginSession, hub: hubs.Hub
) -> None:
    async def story() -> None:
        stream = Stream(browser)
        await stream.open()
        assert await stream.read() == PENDING
        await listening(hub)

        for nonsense in (b"", b"\xff\xfe", b"4711", b"0" * 32):
            await asyncio.to_thread(redis_client().publish, CHANNEL, nonsense)
        await in_thread(lambda: decide(held))

        assert await stream.read(1) == ACCEPTED
        assert not hub._alone.is_set()

    told(story())


@pytest.mark.database
def test_a_database_that_is_away_ends_no_stream(
    browser: Browser,
    held: LoginSession,
    hub: hubs.Hub,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise OperationalError("away")

    async def story() -> None:
        stream = Stream(browser)
        await stream.open()
        assert await stream.read() == PENDING
        await listening(hub)
        with monkeypatch.context() as patch:
            patch.setattr(hubs, "states", away)
            await in_thread(lambda: decide(held))
            await until(hub._alone.is_set)
            assert await stream.is_silent(0.7)

        assert await stream.read(2) == ACCEPTED

    told(story())


@pytest.mark.database
def test_no_stream_begins_while_the_database_is_away(
    browser: Browser, held: LoginSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(events, "_find_topic", away)

    async def story() -> None:
        stream = Stream(browser)
        assert await stream.open() == 503
        assert stream.headers[b"retry-after"] == b"5"

    told(story())


def test_leaving_frees_the_queue_and_ends_the_reader(
    browser: Browser, held: LoginSession, hub: hubs.Hub
) -> None:
    async def story() -> None:
        streams = Stream(browser), Stream(browser)
        for stream in streams:
            await stream.open()
            await stream.read()
        assert [len(readers) for readers in hub._readers.values()] == [2]

        for stream in streams:
            await stream.leave()

        assert (dict(hub._readers), hub._tasks, hub._writers) == ({}, [], set())

    told(story())


def test_a_stream_that_fails_hurts_no_other(
    browser: Browser, held: LoginSession, hub: hubs.Hub
) -> None:
    async def broken(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            raise OSError("gone")

    async def story() -> None:
        good = Stream(browser)
        await good.open()
        assert await good.read() == PENDING
        await listening(hub)
        receive = asyncio.Queue[Any]()
        failing = events.stream(good.communicator.scope, receive.get, broken)  # type: ignore[arg-type]
        with pytest.raises(OSError, match="gone"):
            await failing
        assert [len(readers) for readers in hub._readers.values()] == [1]

        await in_thread(lambda: decide(held))

        assert await good.read(1) == ACCEPTED

    told(story())


def test_a_reader_who_is_slow_gets_the_newest_status(
    browser: Browser, held: LoginSession, hub: hubs.Hub
) -> None:
    async def story() -> None:
        newest = hub.join(PendingLogin(held.public_id))
        await listening(hub)
        for _ in range(5):
            await hub._tell({PendingLogin(held.public_id)})

        await in_thread(lambda: decide(held))
        await hub._tell({PendingLogin(held.public_id)})

        async with asyncio.timeout(1):
            assert await newest.get() == "accepted"
        hub.leave(PendingLogin(held.public_id), newest)

    told(story())


@pytest.mark.database
def test_opening_a_stream_costs_four_queries_at_most(
    browser: Browser, held: LoginSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "close", lambda: None)
    stream = Stream(browser)

    with CaptureQueriesContext(connection) as queries:
        topic = events._find_topic.__wrapped__(stream.communicator.scope)
        hubs.states.__wrapped__({topic})

    assert len(queries) <= 4
