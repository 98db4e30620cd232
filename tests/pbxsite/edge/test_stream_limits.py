from __future__ import annotations

import pytest
from django.test import Client as Browser

from authconfig.users.models import PbxUser
from pbxsite.edge.stream_limits import open_streams
from tests.conftest import Starter
from tests.support.streams import Stream, told, until
from verification.approval.live import hub as hubs
from verification.approval.live.streams import STREAMS
from verification.approval.models import LoginSession

pytestmark = pytest.mark.django_db(transaction=True)
# What Django's middleware gives to every page.
GUARDING = {
    "content-security-policy",
    "cross-origin-opener-policy",
    "referrer-policy",
    "x-content-type-options",
    "x-frame-options",
}


@pytest.fixture(autouse=True)
def _fresh_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "hub", hubs.Hub())


def test_a_stream_has_the_headers_of_a_page(
    browser: Browser, held: LoginSession
) -> None:
    page = browser.get("/login/waiting/")
    wanted = {n.lower(): v for n, v in page.items() if n.lower() in GUARDING}

    async def story() -> None:
        stream = Stream(browser)
        assert await stream.open() == 200
        await stream.leave()

        sent = {name.decode(): value.decode() for name, value in stream.headers.items()}
        assert wanted.keys() == GUARDING
        assert wanted.items() <= sent.items()
        assert sent["content-type"] == "text/event-stream; charset=utf-8"
        assert sent["x-accel-buffering"] == "no"
        assert sent["cache-control"] == "no-store, no-transform"

    told(story())


@pytest.mark.parametrize("path", STREAMS)
@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS", "DELETE"])
def test_a_stream_is_only_for_get(
    browser: Browser, held: LoginSession, method: str, path: str
) -> None:
    async def story() -> None:
        stream = Stream(browser, method, path)
        assert await stream.open() == 405
        assert stream.headers[b"allow"] == b"GET"
        assert stream.headers[b"cache-control"] == b"no-store, no-transform"
        assert b"content-security-policy" in stream.headers

    told(story())


@pytest.mark.parametrize("host", [b"evil.example", b"", b"127.0.0.1@evil.example"])
def test_a_stream_is_for_the_sites_own_hosts(
    browser: Browser, held: LoginSession, host: bytes
) -> None:
    async def story() -> None:
        assert await Stream(browser, host=host).open() == 400

    told(story())


def test_one_session_holds_a_limited_number_of_streams(
    browser: Browser, held: LoginSession, start: Starter, administrator: PbxUser
) -> None:
    other = Browser()
    start(other, "admin")

    async def story() -> None:
        streams = [Stream(browser) for _ in range(11)]
        statuses = [await stream.open() for stream in streams]
        assert statuses == 10 * [200] + [429]
        assert streams[-1].headers[b"retry-after"] == b"5"
        others = Stream(other)
        assert await others.open() == 200

        await streams[0].leave()
        await until(lambda: open_streams.total() == 10)
        assert await Stream(browser).open() == 200

    told(story())


def test_a_stream_that_is_over_is_counted_no_more(
    browser: Browser, held: LoginSession
) -> None:
    held.delete()

    async def story() -> None:
        assert await Stream(browser).open() == 204
        assert await Stream(Browser()).open() == 204
        await until(lambda: not open_streams)

    told(story())
