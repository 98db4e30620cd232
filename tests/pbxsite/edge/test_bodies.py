"""How large a body may be, and how long it may take."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from pbxsite.edge import bodies
from pbxsite.edge.bodies import FILE, FORM, Limit, Request, limited
from tests.support.streams import told

RECORDINGS = "/PBX0/voicemail.xml"


class Exchange:
    """One request to an application that reads its body and answers 200."""

    def __init__(self, path: str = "/login/", **headers: str) -> None:
        self.arriving: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.read: list[bytes] = []
        self.began = self.was_aborted = False
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "headers": [(n.encode(), v.encode()) for n, v in headers.items()],
        }

    def send_body(self, body: bytes, *, more: bool = False) -> None:
        self.arriving.put_nowait(
            {"type": "http.request", "body": body, "more_body": more}
        )

    def hang_up(self) -> None:
        self.arriving.put_nowait({"type": "http.disconnect"})

    async def run(self) -> None:
        await limited(self._application)(self.scope, self.arriving.get, self._send)

    async def _application(self, _scope: Any, receive: Any, send: Any) -> None:
        self.began = True
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.was_aborted = True
                return
            self.read.append(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None

    @property
    def problem(self) -> dict[str, Any]:
        assert (b"connection", b"close") in self.sent[0]["headers"]
        found: dict[str, Any] = json.loads(self.sent[1]["body"])
        return found


def exchanged(exchange: Exchange, prepare: Callable[[], None] = lambda: None) -> None:
    async def story() -> None:
        prepare()
        await exchange.run()

    told(story())


def test_a_form_comes_whole() -> None:
    exchange = Exchange()
    exchange.send_body(b"login=anna&", more=True)
    exchange.send_body(b"password=word")

    exchanged(exchange)

    assert exchange.read == [b"login=anna&password=word"]
    assert exchange.status == 200


@pytest.mark.parametrize("path", ["/login/", "/account/password/", "/no/such/page"])
def test_what_says_that_it_is_too_large_for_a_form_is_refused(path: str) -> None:
    exchange = Exchange(path, **{"content-length": str(FORM.bytes + 1)})

    exchanged(exchange)

    assert not exchange.began
    assert exchange.status == 413
    assert str(FORM.bytes) in exchange.problem["detail"]


def test_what_becomes_too_large_for_a_form_is_refused() -> None:
    exchange = Exchange()
    for _ in range(3):
        exchange.send_body(bytes(FORM.bytes // 2), more=True)

    exchanged(exchange)

    assert not exchange.began
    assert exchange.status == 413


@pytest.mark.parametrize("path", [RECORDINGS, "/admin/users/pbxuser/import/"])
def test_a_file_may_be_larger_and_comes_bit_by_bit(path: str) -> None:
    exchange = Exchange(path, **{"content-length": str(2 * FORM.bytes)})
    exchange.send_body(bytes(FORM.bytes), more=True)
    exchange.send_body(bytes(FORM.bytes))

    exchanged(exchange)

    assert [len(part) for part in exchange.read] == [FORM.bytes, FORM.bytes]
    assert exchange.status == 200


def test_a_file_that_is_too_large_is_refused() -> None:
    exchange = Exchange(RECORDINGS)
    exchange.send_body(bytes(FILE.bytes), more=True)
    exchange.send_body(b"!")

    exchanged(exchange)

    assert exchange.was_aborted
    assert exchange.status == 413


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a body take a twentieth of a second."""
    monkeypatch.setattr(bodies, "FORM", Limit(FORM.bytes, 0.05))
    monkeypatch.setattr(bodies, "FILE", Limit(FILE.bytes, 0.05))
    bodies._limits.cache_clear()
    yield
    bodies._limits.cache_clear()


def test_a_form_that_never_ends_reaches_nobody_and_is_refused(brief: None) -> None:
    exchange = Exchange()
    exchange.send_body(b"login=", more=True)
    began_at = time.monotonic()

    exchanged(exchange)

    assert time.monotonic() - began_at < 5
    assert not exchange.began
    assert exchange.status == 408
    assert "0.05 seconds" in exchange.problem["detail"]


def test_a_file_that_never_ends_is_broken_off_and_refused(brief: None) -> None:
    exchange = Exchange(RECORDINGS)
    exchange.send_body(b"RIFF", more=True)

    exchanged(exchange)

    assert exchange.was_aborted
    assert exchange.status == 408


def test_a_body_that_trickles_has_the_same_time_as_one_that_stands(brief: None) -> None:
    exchange = Exchange(RECORDINGS)

    async def story() -> None:
        async def trickle() -> None:
            while True:
                exchange.send_body(b".", more=True)
                await asyncio.sleep(0.01)

        trickling = asyncio.create_task(trickle())
        await exchange.run()
        trickling.cancel()

    told(story())

    assert exchange.status == 408


def test_a_browser_that_leaves_before_the_end_is_answered_nothing() -> None:
    exchange = Exchange()
    exchange.send_body(b"login=", more=True)
    exchange.hang_up()

    exchanged(exchange)

    assert not exchange.began
    assert exchange.sent == []


def test_the_time_ends_with_the_body(brief: None) -> None:
    """A page that takes longer still hears of a browser that leaves, and then alone."""
    exchange, left = Exchange(), asyncio.Event()
    heard: list[tuple[str, bool]] = []

    def leave() -> None:
        left.set()
        exchange.hang_up()

    async def slow(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()
        asyncio.get_running_loop().call_later(0.1, leave)
        heard.append(((await receive())["type"], left.is_set()))

    async def story() -> None:
        exchange.send_body(b"")
        await limited(slow)(exchange.scope, exchange.arriving.get, exchange._send)

    told(story())
    assert heard == [("http.disconnect", True)]
    assert exchange.sent == []


@pytest.mark.parametrize(
    ("charset", "name"),
    [("iso-8859-1", "J\xf6rg"), ("hex", "J\ufffdrg")],
    ids=["text", "no text"],
)
def test_a_form_is_read_in_its_charset_if_that_is_for_text(
    charset: str, name: str
) -> None:
    kind = f"multipart/form-data; charset={charset}; boundary=x"
    part = (
        b'--x\r\nContent-Disposition: form-data; name="login"\r\n\r\nJ\xf6rg\r\n--x--'
    )
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/login/",
        "query_string": b"",
        "headers": [(b"content-type", kind.encode())],
    }

    assert Request(scope, io.BytesIO(part)).POST["login"] == name
