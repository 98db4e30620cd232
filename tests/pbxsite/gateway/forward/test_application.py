"""What proxies are answered, as the ASGI server would hand it to the site."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from asgiref.testing import ApplicationCommunicator
from django.db import OperationalError
from django.test import Client as Browser

from authconfig.clients.models import ClientApplication
from authconfig.users.changes import end_sessions
from authconfig.users.models import PbxUser
from pbxsite.asgi import application
from pbxsite.edge import responses
from pbxsite.gateway.forward import application as forward_application
from pbxsite.gateway.forward import cached_verdicts as copying
from pbxsite.gateway.forward.lookups import look_up
from pbxsite.gateway.forward.requests import Ticket
from pbxsite.gateway.forward.tokens import Pass, make_cookie
from tests.support.streams import in_thread, told

pytestmark = pytest.mark.django_db(transaction=True)
OPEN = "http://127.0.0.1:8000/clients/myapps/open/"
ELSEWHERE = {
    "x-forwarded-proto": "https",
    "x-forwarded-host": "apps.example.com",
    "x-forwarded-uri": "/voicemail/?page=2",
}
HERE = ELSEWHERE | {
    "x-forwarded-host": "127.0.0.1:9000",
    "x-forwarded-uri": "/?page=2",
}


class Answer:
    status: int
    headers: dict[str, str]
    body: str


async def ask(
    browser: Browser | None = None,
    path: str = "/forward-auth/myapps/",
    method: str = "GET",
    **headers: str,
) -> Answer:
    cookies = browser.cookies.values() if browser else ()
    shown = {
        "host": "127.0.0.1",
        "cookie": "; ".join(f"{m.key}={m.value}" for m in cookies),
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(n.encode(), v.encode("latin-1")) for n, v in shown.items()],
    }
    communicator = ApplicationCommunicator(application, scope)
    start = await communicator.receive_output(timeout=10)
    answer = Answer()
    answer.status = start["status"]
    answer.headers = {n.decode(): v.decode("latin-1") for n, v in start["headers"]}
    answer.body = (await communicator.receive_output(timeout=10))["body"].decode()
    return answer


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Collection[Ticket]]:
    """Copies of this test alone; tells which tickets the rows were asked for."""
    questions: list[Collection[Ticket]] = []

    def noting(tickets: Collection[Ticket]) -> Any:
        questions.append(list(tickets))
        return look_up(tickets)

    monkeypatch.setattr(forward_application, "copies", copying.Copies())
    monkeypatch.setattr(copying, "look_up", noting)
    monkeypatch.setattr(copying, "LINGER_SECONDS", 0.1)
    return questions


def test_a_session_is_answered_with_who_it_is(signed_in: Browser) -> None:
    async def story() -> None:
        for method in ("GET", "HEAD"):
            answer = await ask(signed_in, method=method)
            assert (answer.status, answer.body) == (200, "")
            assert answer.headers == {
                "content-length": "0",
                "cache-control": "no-store",
                "remote-user": "anna",
                "remote-name": "Anna Berg",
                "remote-email": "anna@example.com",
                "remote-number": "",
                "remote-groups": "",
            }

    told(story())


def test_a_stranger_is_told_where_to_log_in(browser: Browser) -> None:
    async def story() -> None:
        answer = await ask(browser)
        assert answer.status == 401
        assert answer.headers["location"] == OPEN
        assert answer.headers["www-authenticate"] == 'Cookie realm="PBX"'
        assert answer.headers["cache-control"] == "no-store"
        assert "content-security-policy" in answer.headers
        assert not [name for name in answer.headers if name.startswith("remote-")]

    told(story())


def test_what_a_stranger_sends_is_kept_at_no_length(
    asked: list[Collection[Ticket]],
) -> None:
    long = "x" * 50_000
    far = ELSEWHERE | {"x-forwarded-host": f"{long[:1900]}.example.com"}

    async def story() -> None:
        assert (await ask(path=f"/forward-auth/{long}/")).status == 404
        assert (await ask(cookie=f"pbx_client_myapps={long}")).status == 401
        assert (await ask(**far)).status == 401

    told(story())
    kept = [ticket for tickets in asked for ticket in tickets]
    assert max(len("".join(ticket)) for ticket in kept) < 1000


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ({}, OPEN),
        (
            ELSEWHERE,
            "https://apps.example.com/.pbx-auth/myapps/login/"
            "?return=https%3A%2F%2Fapps.example.com%2Fvoicemail%2F%3Fpage%3D2",
        ),
        (HERE, f"{OPEN}?return=https%3A%2F%2F127.0.0.1%3A9000%2F%3Fpage%3D2"),
        (ELSEWHERE | {"x-forwarded-host": "apps.example.com, evil.example"}, OPEN),
        (ELSEWHERE | {"x-forwarded-host": "u@evil.example"}, OPEN),
        (ELSEWHERE | {"x-forwarded-proto": "javascript"}, OPEN),
        (
            # A path that is not plain leads back to the start of its host.
            ELSEWHERE | {"x-forwarded-uri": "/a%2fb/../c"},
            "https://apps.example.com/.pbx-auth/myapps/login/"
            "?return=https%3A%2F%2Fapps.example.com%2F",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["", "redirect/"])
def test_the_logins_address_is_on_the_host_whose_cookie_counts(
    db: None, forwarded: dict[str, str], address: str, path: str
) -> None:
    async def story() -> None:
        answer = await ask(path=f"/forward-auth/myapps/{path}", **forwarded)
        assert answer.status == (302 if path else 401)
        assert answer.headers["location"] == address

    told(story())


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-method": "POST"},
        {"sec-fetch-mode": "cors"},
        {"sec-fetch-mode": "no-cors"},
        {"x-requested-with": "XMLHttpRequest"},
    ],
)
def test_what_is_no_page_view_is_not_led_to_the_login(
    db: None, headers: dict[str, str]
) -> None:
    async def story() -> None:
        answer = await ask(path="/forward-auth/myapps/redirect/", **headers)
        assert answer.status == 401

    told(story())


@pytest.mark.parametrize(
    ("path", "method", "host", "status"),
    [
        ("/forward-auth/myapps/", "POST", "127.0.0.1", 405),
        ("/forward-auth/myapps/", "GET", "evil.example", 400),
        ("/forward-auth/nobody/", "GET", "127.0.0.1", 404),
        ("/forward-auth/myapps", "GET", "127.0.0.1", 404),
        ("/forward-auth/", "GET", "127.0.0.1", 404),
        ("/forward-auth/myapps/../mypbx/", "GET", "127.0.0.1", 404),
        ("/forward-auth/myapps/\n", "GET", "127.0.0.1", 404),
    ],
)
def test_other_requests_are_refused(
    signed_in: Browser, path: str, method: str, host: str, status: int
) -> None:
    async def story() -> None:
        answer = await ask(signed_in, path, method, host=host)
        assert answer.status == status
        assert "content-security-policy" in answer.headers

    told(story())


def test_plain_http_is_led_to_https_where_the_site_is(
    signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses.security, "redirect", True)

    async def story() -> None:
        answer = await ask(signed_in)
        assert answer.status == 301
        assert answer.headers["location"].startswith("https://")

    told(story())


def test_the_warm_path_asks_no_row(
    signed_in: Browser, asked: list[Collection[Ticket]]
) -> None:
    async def story() -> None:
        first = await ask(signed_in)
        for _ in range(50):
            assert (await ask(signed_in)).headers == first.headers
        assert len(asked) == 1

    told(story())


def test_whoever_comes_at_once_is_asked_for_together(
    signed_in: Browser, asked: list[Collection[Ticket]]
) -> None:
    async def story() -> None:
        same = [ask(signed_in) for _ in range(20)]
        hosts = [f"h{n}.example" for n in range(20)]
        others = [
            ask(x_forwarded_proto="https", x_forwarded_host=host) for host in hosts
        ]
        answers = await asyncio.gather(*same, *others)
        assert [answer.status for answer in answers] == [200] * 20 + [401] * 20
        assert len(asked) <= 2
        assert sum(map(len, asked)) == 21

    told(story())


def test_an_ended_session_is_refused_within_a_second(
    signed_in: Browser, user: PbxUser
) -> None:
    async def story() -> None:
        assert (await ask(signed_in)).status == 200
        await in_thread(lambda: end_sessions([user]))
        async with asyncio.timeout(1):
            while (await ask(signed_in)).status == 200:
                await asyncio.sleep(0.01)

    told(story())


def test_a_client_that_is_switched_to_another_way_is_shut_within_a_second(
    signed_in: Browser,
) -> None:
    def switch() -> None:
        ClientApplication.objects.update(asks_by="openid")

    async def story() -> None:
        assert (await ask(signed_in)).status == 200
        await in_thread(switch)
        async with asyncio.timeout(1):
            while (answer := await ask(signed_in)).status == 200:
                await asyncio.sleep(0.01)
        assert answer.status == 403
        assert "How it asks" in answer.body

    told(story())


def test_without_the_database_it_is_shut_and_opens_again(
    signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(tickets: Collection[Ticket]) -> Any:
        raise OperationalError("gone")

    async def story() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(copying, "look_up", gone)
            answers = await asyncio.gather(ask(signed_in), ask(signed_in))
            assert [answer.status for answer in answers] == [503, 503]
        assert (await ask(signed_in)).status == 200

    told(story())


def test_a_database_that_is_silent_is_not_waited_for(
    signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "ASK_LIMIT_SECONDS", 0.2)
    plain = look_up

    def slow(tickets: Collection[Ticket]) -> Any:
        time.sleep(0.6)
        return plain(tickets)

    async def story() -> None:
        monkeypatch.setattr(copying, "look_up", slow)
        answer = await ask(signed_in)
        assert answer.status == 503
        await asyncio.sleep(0.6)
        monkeypatch.setattr(copying, "look_up", plain)

    told(story())


def test_copies_do_not_pile_up(
    signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "MOST_COPIES", 10)
    monkeypatch.setattr(copying, "MAX_AGE_SECONDS", 0)

    async def story() -> None:
        for n in range(30):
            await ask(x_forwarded_proto="https", x_forwarded_host=f"h{n}.example")
        assert len(forward_application.copies._copies) <= 11

    told(story())


def test_traefik_is_answered_as_it_asks(signed_in: Browser) -> None:
    """By its documentation; it asks under the host of the address that it was given."""
    asked = ELSEWHERE | {
        "host": "127.0.0.1:8000",
        "x-forwarded-method": "GET",
        "x-forwarded-for": "192.0.2.7",
        "x-forwarded-port": "443",
        "x-forwarded-server": "traefik",
        "x-real-ip": "192.0.2.7",
    }
    shown = Pass(UserSession.objects.get().pk, "myapps", "apps.example.com")
    cookie = f"pbx_client_myapps={make_cookie(shown)}"
    path = "/forward-auth/myapps/redirect/"

    async def story() -> None:
        answer = await ask(path=path, **asked)
        assert answer.status == 302
        login = "https://apps.example.com/.pbx-auth/myapps/login/?"
        assert answer.headers["location"].startswith(login)
        answer = await ask(path=path, **asked | {"cookie": cookie})
        assert (answer.status, answer.headers["remote-user"]) == (200, "anna")
        script = asked | {"x-forwarded-method": "POST"}
        assert (await ask(path=path, **script)).status == 401

    told(story())


@pytest.mark.parametrize(
    "key", ['"\\000\\000\\000abcdefgh"', "'" * 9, "x" * 5000, "\xff" * 32, "A" * 32]
)
def test_what_is_no_session_spoils_nobody_elses_answer(
    signed_in: Browser, key: str
) -> None:
    async def story() -> None:
        answers = await asyncio.gather(ask(cookie=f"pbx_session={key}"), ask(signed_in))
        assert [answer.status for answer in answers] == [401, 200]

    told(story())


def test_a_fault_of_ours_shuts_the_door_and_is_not_waited_for(
    signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(tickets: Collection[Ticket]) -> Any:
        raise ZeroDivisionError

    async def story() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(copying, "look_up", faulty)
            with pytest.raises(ZeroDivisionError):
                await ask(signed_in)
        assert (await ask(signed_in)).status == 200

    told(story())
