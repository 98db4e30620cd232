"""A connection's messages, without one: sizes, nonsense, and who never reads."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pbxsite.gateway.myapps import wire
from pbxsite.gateway.myapps.wire import ClosedError, Wire


def said(text: str, longest: int = wire.LONGEST_BEFORE_LOGIN) -> Any:
    async def receive() -> dict[str, Any]:
        return {"type": "websocket.receive", "text": text}

    heard = Wire(receive, None)
    heard.longest = longest
    return asyncio.run(heard.read())


def test_a_client_that_is_logged_in_may_say_more() -> None:
    text = '{"mt":"%s"}' % ("x" * (wire.LONGEST - 9))

    assert said(text, wire.LONGEST)["mt"]
    for longest, more in ((wire.LONGEST_BEFORE_LOGIN, ""), (wire.LONGEST, " ")):
        with pytest.raises(ClosedError) as closed:
            said(text + more, longest)
        assert closed.value.code == wire.TOO_LONG


@pytest.mark.parametrize("half", ["\\ud83d", "\\udd12", "a\\udfff"])
def test_half_a_character_is_no_text(half: str) -> None:
    with pytest.raises(ClosedError) as closed:
        said(f'{{"mt":"Login","username":"{half}"}}')

    assert closed.value.code == wire.NOT_ALLOWED
    assert said('{"mt":"\\ud83d\\udd12"}')["mt"] == "🔒"


@pytest.mark.parametrize("failure", [None, BrokenPipeError()])
def test_whoever_reads_nothing_is_dropped(
    failure: OSError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "WRITE_SECONDS", 0.02)

    async def send(_event: Any) -> None:
        if failure:
            raise failure
        await asyncio.sleep(3)

    async def story() -> None:
        line = Wire(None, send)
        line.is_open = True
        async with asyncio.timeout(1):
            with pytest.raises(ClosedError):
                await line.write({"mt": "UpdateApps"})
            # Nothing more is said to it, a goodbye neither.
            await line.close(wire.NORMAL, "")
        assert not line.is_open

    asyncio.run(story())
