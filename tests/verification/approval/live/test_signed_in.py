"""What signed-in pages are told: logins to decide about, and the session's end."""

from __future__ import annotations

import asyncio

import pytest
from django.conf import settings as site
from django.contrib.sessions.models import Session
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from authconfig.choices import Origin
from authconfig.users.models import PbxUser
from tests.conftest import PASSWORD, SettingsSetter
from tests.support.streams import Stream, in_thread, listening, told
from verification.approval import flows
from verification.approval.live import hub as hubs
from verification.approval.models import LoginSession
from verification.sessions.choices import Approver

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("hub")]
PATH = "/account/events/"
NOTHING = 'event: approvals\ndata: {"pending": 0, "logins": []}\n\n'
ENDED = "event: ended\ndata: {}\n\n"


def log_in(browser: Browser, path: str = "/login/") -> None:
    browser.post(path, {"login": "anna", "password": PASSWORD})


def waits(login: LoginSession) -> str:
    return f'event: approvals\ndata: {{"pending": 1, "logins": [{login.pk}]}}\n\n'


@pytest.fixture
def signed_in(user: PbxUser, configure: SettingsSetter) -> Browser:
    """Anna's browser, which was signed in before two-factor was switched on."""
    browser = Browser()
    log_in(browser)
    configure(two_factor=True, smtp_server="127.0.0.1", verification_link="https://x/")
    return browser


def stream_of(browser: Browser) -> Stream:
    return Stream(browser, path=PATH)


def test_a_login_is_told_within_a_second_and_so_is_its_end(
    signed_in: Browser, hub: hubs.Hub
) -> None:
    async def story() -> None:
        stream = stream_of(signed_in)
        assert await stream.open() == 200
        assert await stream.read() == NOTHING
        await listening(hub)

        await in_thread(lambda: log_in(Browser()))
        login = await in_thread(LoginSession.objects.get)
        assert await stream.read(1) == waits(login)

        by = {"approver": Approver.EMAIL, "origin": Origin()}
        await in_thread(lambda: flows.reject(login, **by))
        assert await stream.read(1) == NOTHING
        await stream.leave()

    told(story())


def test_a_newer_login_takes_the_older_ones_place(
    signed_in: Browser, user: PbxUser
) -> None:
    log_in(Browser())
    older = LoginSession.objects.get()

    async def story() -> None:
        stream = stream_of(signed_in)
        await stream.open()
        assert await stream.read() == waits(older)

        await in_thread(lambda: log_in(Browser()))
        newer = await in_thread(LoginSession.objects.exclude(pk=older.pk).get)

        assert await stream.read(1) == waits(newer)
        await stream.leave()

    told(story())


def test_every_page_of_every_session_is_told(
    signed_in: Browser, user: PbxUser, configure: SettingsSetter
) -> None:
    second = Browser()
    configure(two_factor=False)
    log_in(second)
    configure(two_factor=True)

    async def story() -> None:
        streams = [stream_of(b) for b in (signed_in, signed_in, second)]
        for stream in streams:
            await stream.open()
            assert await stream.read() == NOTHING

        await in_thread(lambda: log_in(Browser()))

        login = await in_thread(LoginSession.objects.get)
        assert [await s.read(1) for s in streams] == [waits(login)] * 3
        for stream in streams:
            await stream.leave()

    told(story())


def test_an_expired_login_is_taken_back(signed_in: Browser) -> None:
    log_in(Browser())
    login = LoginSession.objects.get()

    async def story() -> None:
        stream = stream_of(signed_in)
        await stream.open()
        assert await stream.read() == waits(login)

        now = timezone.now()
        await in_thread(lambda: LoginSession.objects.update(expires_at=now))

        assert await stream.read(2) == NOTHING
        await stream.leave()

    told(story())


def test_another_users_login_is_none_of_ones_business(
    signed_in: Browser, administrator: PbxUser, hub: hubs.Hub
) -> None:
    async def story() -> None:
        stream = stream_of(signed_in)
        await stream.open()
        assert await stream.read() == NOTHING
        await listening(hub)

        other = {"login": "admin", "password": PASSWORD}
        await in_thread(lambda: Browser().post("/login/", other))

        assert await stream.is_silent(1.2)
        await stream.leave()

    told(story())


def test_a_mypbx_session_is_told_of_no_login(signed_in: Browser) -> None:
    mypbx = Browser()
    log_in(mypbx, "/mypbx/login/")

    async def story() -> None:
        stream = stream_of(mypbx)
        assert await stream.open() == 200
        assert await stream.read() == NOTHING

        await in_thread(lambda: log_in(Browser()))

        assert await stream.is_silent(1.2)
        await stream.leave()

    told(story())


def test_a_waiting_browser_is_told_of_nobodys_logins(signed_in: Browser) -> None:
    waiting = Browser()
    log_in(waiting)

    async def story() -> None:
        assert await stream_of(waiting).open() == 204
        assert await stream_of(Browser()).open() == 204

    told(story())


def test_a_session_that_is_ended_elsewhere_is_told_at_once(
    signed_in: Browser, configure: SettingsSetter, hub: hubs.Hub
) -> None:
    second = Browser()
    configure(two_factor=False)
    log_in(second)

    async def story() -> None:
        streams = [stream_of(b) for b in (signed_in, second)]
        for stream in streams:
            await stream.open()
            assert await stream.read() == NOTHING
        await listening(hub)

        address = reverse("verification:end_other_sessions")
        await in_thread(lambda: second.post(address))

        assert await streams[0].read(1) == ENDED
        assert await streams[0].read(1) == ""
        assert await streams[1].is_silent(0.3)
        await streams[1].leave()
        assert await stream_of(signed_in).open() == 204

    told(story())


def test_without_redis_all_of_it_is_told_within_a_second(
    signed_in: Browser, settings: Settings
) -> None:
    settings.REDIS_URL = "unix:///tmp/there-is-no-redis.sock"

    async def story() -> None:
        stream = stream_of(signed_in)
        await stream.open()
        assert await stream.read() == NOTHING

        await in_thread(lambda: log_in(Browser()))
        login = await in_thread(LoginSession.objects.get)
        assert await stream.read(1) == waits(login)

        await in_thread(Session.objects.all().delete)
        assert await stream.read(1) == ENDED

    told(story())


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "!"}])
def test_who_may_no_longer_log_in_gets_no_stream(
    signed_in: Browser, change: dict[str, object]
) -> None:
    PbxUser.objects.update(**change)

    async def story() -> None:
        assert await stream_of(signed_in).open() == 204

    told(story())


def test_a_stream_leaves_the_session_as_it_is_while_keys_rotate(
    signed_in: Browser, settings: Settings
) -> None:
    before = list(Session.objects.values())
    settings.SECRET_KEY_FALLBACKS = [site.SECRET_KEY]
    settings.SECRET_KEY = "another key that is long and varied enough 0123456789"

    async def story() -> None:
        stream = stream_of(signed_in)
        assert await stream.open() == 200
        assert await stream.read() == NOTHING
        await stream.leave()

    told(story())
    assert list(Session.objects.values()) == before


def test_many_pages_cost_as_many_queries_as_one(
    signed_in: Browser, hub: hubs.Hub, settings: Settings
) -> None:
    settings.LIMIT_STREAMS = 50

    async def story() -> None:
        streams = [stream_of(signed_in) for _ in range(50)]
        await asyncio.gather(*(stream.open() for stream in streams))
        assert {await stream.read() for stream in streams} == {NOTHING}
        assert len(hub._readers) == 1
        await asyncio.gather(*(stream.leave() for stream in streams))
        assert (dict(hub._readers), dict(hub._topics), hub._told) == ({}, {}, {})

    told(story())
