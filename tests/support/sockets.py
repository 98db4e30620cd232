"""A WebSocket of the site, as the ASGI server would hand it over."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from asgiref.testing import ApplicationCommunicator

from pbxsite.asgi import application
from tests.support.myapps import proofs
from tests.support.myapps.proofs import response

ADDRESS = "/PBX0/APPCLIENT/websocket"


NONCE = "00112233445566778899aabbccddeeff"


class Kept(NamedTuple):
    """What a client keeps of a login: its session, and what it heard of its user."""

    info: dict[str, Any]
    usr: str = ""
    pwd: str = ""


def checked(
    result: dict[str, Any], proved: dict[str, str], name: str, secret: str
) -> Kept:
    """Check what the site has proven, as clients do, and read the new session."""
    assert "error" not in result, result
    info = result["info"]
    words = proved["domain"], name, secret, proved["nonce"], proved["challenge"]
    assert result["digest"] == proofs.result(*words, info)
    made = info.get("session")
    if made is None:
        return Kept(info)
    parts = {
        what: proofs.rc4(
            proofs.session_key(what, proved["nonce"], secret),
            bytes.fromhex(made[what]),
        ).decode()
        for what in ("usr", "pwd")
    }
    return Kept(info, **parts)


class Socket:
    """`refused` holds the status of a handshake that was not accepted."""

    def __init__(
        self,
        path: str = ADDRESS,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        client: str = "127.0.0.1",
        host: bytes = b"127.0.0.1",
    ) -> None:
        self.refused = 0
        self.communicator = ApplicationCommunicator(
            application,
            {
                "type": "websocket",
                "scheme": "ws",
                "path": path,
                "query_string": b"",
                "client": (client, 4711),
                "headers": [(b"host", host), *headers],
                "extensions": {"websocket.http.response": {}},
            },
        )

    async def open(self) -> Socket:
        await self.communicator.send_input({"type": "websocket.connect"})
        event = await self._next()
        if event["type"] != "websocket.accept":
            self.refused = event["status"]
            await self._next()
            await self.communicator.wait(timeout=5)
        return self

    async def say(self, mt: str, **members: Any) -> None:
        await self.say_text(json.dumps({"mt": mt, **members}))

    async def say_text(self, text: str) -> None:
        await self.communicator.send_input({"type": "websocket.receive", "text": text})

    async def hear(self, mt: str, limit_seconds: float = 5) -> dict[str, Any]:
        """Return the next message, which has to be of this name."""
        event = await self._next(limit_seconds)
        assert event["type"] == "websocket.send", event
        message: dict[str, Any] = json.loads(event["text"])
        assert message["mt"] == mt, message
        return message

    async def ask(self, mt: str, answer: str, **members: Any) -> dict[str, Any]:
        await self.say(mt, **members)
        return await self.hear(answer)

    async def hear_end(self, limit_seconds: float = 5) -> int:
        """Return the code by which the site closes the connection."""
        event = await self._next(limit_seconds)
        assert event["type"] == "websocket.close", event
        await self.communicator.send_input({"type": "websocket.disconnect"})
        await self.communicator.wait(timeout=5)
        code: int = event["code"]
        return code

    async def hear_any(self, limit_seconds: float = 5) -> dict[str, Any]:
        event = await self._next(limit_seconds)
        assert event["type"] == "websocket.send", event
        message: dict[str, Any] = json.loads(event["text"])
        return message

    async def prove(
        self,
        name: str,
        password: str,
        type_: str = "user",
        user_agent: str = "Test",
        **changed: str,
    ) -> dict[str, str]:
        """Ask for a challenge and answer it; return both messages' members."""
        asked = await self.ask(
            "Login", "Authenticate", type=type_, userAgent=user_agent
        )
        return await self.answer(asked, name, password, user_agent, **changed)

    async def answer(
        self,
        asked: dict[str, Any],
        name: str,
        password: str,
        user_agent: str = "Test",
        **changed: str,
    ) -> dict[str, str]:
        kind, domain, challenge = asked["type"], asked["domain"], asked["challenge"]
        said = {
            "type": kind,
            "method": "digest",
            "username": name,
            "nonce": NONCE,
            "response": response(kind, domain, name, password, NONCE, challenge),
            "userAgent": user_agent,
            **changed,
        }
        await self.say("Login", **said)
        return {**asked, **said}

    async def log_in(self, name: str, password: str, type_: str = "user") -> Kept:
        proved = await self.prove(name, password, type_)
        return checked(await self.hear("LoginResult"), proved, name, password)

    async def is_silent(self, seconds: float = 0.2) -> bool:
        silent: bool = await self.communicator.receive_nothing(timeout=seconds)
        return silent

    async def leave(self) -> None:
        await self.communicator.send_input({"type": "websocket.disconnect"})
        await self.communicator.wait(timeout=5)

    async def _next(self, limit_seconds: float = 5) -> dict[str, Any]:
        event: dict[str, Any] = await self.communicator.receive_output(limit_seconds)
        return event
