"""How many logins go on to Django at once, and what the others are told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.conf import settings

from authconfig.methods.places import leave_place
from pbxsite.edge import places
from pbxsite.edge.places import MOST_WAITING, PLACES, in_turn
from pbxsite.errors import RETRY_AFTER_CROWD_SECONDS
from tests.support.streams import told, until

LOGINS = (
    *("/login/", "/mypbx/login/", "/login/again/", "/mypbx/login/again/"),
    *("/account/confirm/", "/account/password/", "/account/password/set/"),
)
# What a crowd must not keep anybody from.
OTHERS = (
    *("/login/waiting/", "/login/waiting/continue/", "/PBX0/session.xml"),
    *("/livez", "/readyz", "/metrics", "/account/approvals/1/", "/openid/token"),
)


class Site:
    """An application whose every request lasts until it is told to end."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self.may_end = asyncio.Event()
        self.is_asking_others = False
        self._application = in_turn(self._work)
        self._tasks: set[asyncio.Task[None]] = set()

    async def _work(self, _scope: Any, _receive: Any, send: Any) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        if self.is_asking_others:
            await asyncio.to_thread(leave_place)
        await self.may_end.wait()
        self.inside -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})

    def ask(
        self, path: str = "/login/", method: str = "POST", **headers: str
    ) -> asyncio.Task[list[dict[str, Any]]]:
        async def asked() -> list[dict[str, Any]]:
            sent: list[dict[str, Any]] = []

            async def send(message: dict[str, Any]) -> None:
                sent.append(message)

            given = {"host": "127.0.0.1"} | headers
            named = [
                (n.replace("_", "-").encode(), v.encode()) for n, v in given.items()
            ]
            scope = {"type": "http", "method": method, "path": path, "headers": named}
            await self._application(scope | {"query_string": b""}, None, send)
            return sent

        return asyncio.create_task(asked())


def status(sent: list[dict[str, Any]]) -> int:
    found: int = sent[0]["status"]
    return found


@pytest.mark.parametrize("path", LOGINS)
def test_no_more_logins_than_places_go_on_at_once(path: str) -> None:
    async def story() -> None:
        site = Site()
        asked = [site.ask(path) for _ in range(3 * PLACES)]
        await until(lambda: site.inside == PLACES)
        site.may_end.set()

        answers = await asyncio.gather(*asked)

        assert [status(sent) for sent in answers] == 3 * PLACES * [200]
        assert site.most == PLACES

    told(story())


@pytest.mark.parametrize("path", OTHERS)
def test_nothing_else_stands_behind_a_crowd(path: str) -> None:
    async def story() -> None:
        site = Site()
        crowd = [site.ask() for _ in range(2 * PLACES)]
        await until(lambda: site.inside == PLACES)

        others = [site.ask(path), site.ask(path, "GET"), site.ask("/login/", "GET")]

        await until(lambda: site.inside == PLACES + len(others))
        site.may_end.set()
        await asyncio.gather(*crowd, *others)

    told(story())


def test_a_queue_that_is_too_long_is_told_to_come_back_at_once() -> None:
    async def story() -> None:
        site = Site()
        crowd = [site.ask() for _ in range(PLACES + MOST_WAITING)]
        await until(lambda: site.inside == PLACES)

        sent = await site.ask()

        headers = dict(sent[0]["headers"])
        assert status(sent) == 503
        assert headers[b"retry-after"] == str(RETRY_AFTER_CROWD_SECONDS).encode()
        assert headers[b"cache-control"] == b"no-store"
        assert b"content-security-policy" in headers
        assert "Too many logins at once" in sent[1]["body"].decode()
        site.may_end.set()
        assert {status(sent) for sent in await asyncio.gather(*crowd)} == {200}

    told(story())


def test_who_waits_too_long_is_told_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(places, "WAIT_SECONDS", 0.05)

    async def story() -> None:
        site = Site()
        crowd = [site.ask() for _ in range(PLACES)]

        assert status(await site.ask()) == 503

        site.may_end.set()
        await asyncio.gather(*crowd)
        assert status(await site.ask()) == 200

    told(story())


def test_the_page_speaks_the_browsers_language() -> None:
    async def story() -> None:
        site = Site()
        crowd = [site.ask() for _ in range(PLACES + MOST_WAITING)]
        await until(lambda: site.inside == PLACES)

        by_header = await site.ask(accept_language="de")
        by_cookie = await site.ask(cookie=f"{settings.LANGUAGE_COOKIE_NAME}=de")

        for sent in (by_header, by_cookie):
            assert 'lang="de"' in sent[1]["body"].decode()
        site.may_end.set()
        await asyncio.gather(*crowd)

    told(story())


def test_a_foreign_host_is_refused_in_a_crowd_as_well() -> None:
    async def story() -> None:
        site = Site()
        crowd = [site.ask() for _ in range(PLACES + MOST_WAITING)]
        await until(lambda: site.inside == PLACES)

        assert status(await site.ask(host="evil.example")) == 400

        site.may_end.set()
        await asyncio.gather(*crowd)

    told(story())


def test_who_waits_for_another_server_gives_their_place_to_the_next() -> None:
    async def story() -> None:
        site = Site()
        site.is_asking_others = True
        asked = [site.ask() for _ in range(3 * PLACES)]

        await until(lambda: site.inside == 3 * PLACES)

        # Nobody gives a place back twice.
        site.is_asking_others = False
        site.may_end.set()
        await asyncio.gather(*asked)
        site.may_end.clear()
        site.most = 0
        more = [site.ask() for _ in range(2 * PLACES)]
        await until(lambda: site.inside == PLACES)
        site.may_end.set()
        await asyncio.gather(*more)
        assert site.most == PLACES

    told(story())
