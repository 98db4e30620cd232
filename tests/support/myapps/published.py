"""Two published clients as their descriptions have them: order, checks, mistakes.

go-myapps (Go) logs in with user name and password or by session; the OAuth2 demo
(JavaScript) with OAuth2 or by session.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.myapps import proofs
from tests.support.myapps.client import Client, Message, Session

USR_LENGTH, PWD_LENGTH = 32, 23
EXPIRED = 5
# What go-myapps decodes into fields of these types; another one is its error.
DECODED: dict[str, dict[str, type]] = {
    "CheckBuildResult": {"build": str, "url": str, "launcherUpdateBuild": str},
    "UpdateRegister": {"signup": str, "reset": str, "profile": str},
    "Authenticate": {"type": str, "method": str, "domain": str, "challenge": str},
    "Authorize": {"code": int},
    "LoginResult": {"digest": str, "error": int, "errorText": str, "info": dict},
    "SessionAdded": {"id": str, "info": dict},
}
DECODED_OF_USER = ("domain", "sip", "guid", "dn", "num", "email")


class GoClient:
    """It keeps one nonce for a connection, and its session in a file.

    After an error it goes on as if it were logged in, as the original does.
    """

    def __init__(self, site: str, name: str, password: str, file: Path) -> None:
        self.site, self.name, self.password, self.file = site, name, password, file
        self.codes: list[int] = []
        self.users: list[Message] = []
        self.errors: list[int] = []

    def run(self, until: Callable[[GoClient], bool]) -> None:
        """Connect, and react to each message until there is enough."""
        self.nonce = secrets.token_hex(16)
        with Client(self.site, user_agent="myApps Go client") as self.client:
            self.client.send("CheckBuild", src="")
            while not until(self):
                self._receive(self.client.next())

    def _receive(self, message: Message) -> None:
        for name, kind in DECODED.get(message["mt"], {}).items():
            assert type(message.get(name, kind())) is kind, message
        handlers: dict[str, Callable[[Message], None]] = {
            "CheckBuildResult": lambda _: self.client.send("SubscribeRegister"),
            "UpdateRegister": lambda _: self._log_in(),
            "LoginInfoResult": lambda _: self._log_in(),
            "Authenticate": self._prove,
            "Authorize": lambda asked: self.codes.append(asked["code"]),
            "LoginResult": self._end,
            "SessionAdded": self._check_session,
        }
        if handler := handlers.get(message["mt"]):
            handler(message)

    def _log_in(self) -> None:
        type_ = "session" if self.file.exists() else "user"
        self.client.send("Login", type=type_, userAgent="myApps Go client")

    def _prove(self, asked: Message) -> None:
        name, password = self.name, self.password
        if asked["type"] == "session":
            name, password = self._kept()
        digest = proofs.response(
            asked["type"],
            asked["domain"],
            name,
            password,
            self.nonce,
            asked["challenge"],
        )
        self.client.send(
            "Login",
            type=asked["type"],
            userAgent="myApps Go client",
            method="digest",
            username=name,
            nonce=self.nonce,
            response=digest,
        )

    def _end(self, result: Message) -> None:
        if error := result.get("error", 0):
            self.errors.append(error)
        if error == EXPIRED:
            self.file.unlink(missing_ok=True)
            self.client.send("LoginInfo")
        info = result.get("info", {})
        self._keep(info.get("session", {}))
        if user := info.get("user"):
            assert all(type(user.get(name, "")) is str for name in DECODED_OF_USER)
            self.users.append(user)
        self.client.send("SubscribeApps")
        self.client.send("SubscribePresence", sip="chat")

    def _keep(self, session: Message) -> None:
        usr, pwd = (self._plain(what, session.get(what, "")) for what in ("usr", "pwd"))
        if len(usr) == USR_LENGTH and len(pwd) == PWD_LENGTH:
            self.file.write_text(json.dumps({"Usr": usr, "Pwd": pwd}))

    def _plain(self, what: str, cipher: str) -> str:
        key = proofs.session_key(what, self.nonce, self.password)
        return proofs.rc4(key, bytes.fromhex(cipher)).decode(errors="replace")

    def _kept(self) -> tuple[str, str]:
        kept = json.loads(self.file.read_text())
        assert (len(kept["Usr"]), len(kept["Pwd"])) == (USR_LENGTH, PWD_LENGTH)
        return kept["Usr"], kept["Pwd"]

    @staticmethod
    def _check_session(added: Message) -> None:
        assert type(added["info"]["timestamp"]) is int
        assert type(added["info"]["userAgent"]) is str


class OAuth2Demo:
    """It tries the session that it has kept, and else logs in with OAuth2.

    `opens` is the user, who opens the address and is told the digits.
    """

    PATH = "/PBX0/WEBSOCKET/websocket"
    AGENT = "innovaphone SSO CLI Demo"

    def __init__(
        self, site: str, opens: Callable[[str], None], told: Callable[[int], None]
    ) -> None:
        self.site, self.opens, self.told = site, opens, told
        self.session: Session | None = None
        self.failures: list[str] = []

    def run(self) -> str:
        """Log in, and return the name of the user."""
        with self._connection() as client:
            offered = client.ask("LoginInfo", "LoginInfoResult")
            if self.session and offered["session"]["digest"]:
                try:
                    return self._resume(client, self.session)
                except ValueError as failure:
                    self.failures.append(str(failure))
                    self.session = None
            else:
                return self._log_in(client)
        with self._connection() as client:
            return self._log_in(client)

    def _connection(self) -> Client:
        return Client(self.site, self.PATH, user_agent=self.AGENT)

    def _resume(self, client: Client, session: Session) -> str:
        client.send("Login", type="session", userAgent=self.AGENT)
        asked = client.expect("Authenticate", "LoginResult", "Redirect")
        if asked["mt"] == "LoginResult":
            raise ValueError(asked["errorText"])
        assert (asked["type"], asked["method"]) == ("session", "digest")
        nonce = secrets.token_hex(8)
        facts = asked["domain"], session.usr, session.pwd, nonce, asked["challenge"]
        client.send(
            "Login",
            type="session",
            method="digest",
            username=session.usr,
            nonce=nonce,
            response=proofs.response("session", *facts),
            userAgent=self.AGENT,
        )
        result = self._result(client)
        if result.get("digest"):
            assert result["digest"] == proofs.result(*facts, result["info"])
        return self._label(result)

    def _log_in(self, client: Client) -> str:
        offered = client.ask("LoginInfo", "LoginInfoResult")
        assert offered["user"]["oauth2"]
        login = client.begin_oauth2()
        assert login.authenticate["method"] == "oauth2"
        self.opens(login.authenticate["url"])
        result = self._result(client)
        assert login.keys
        secret = login.keys.secret(result["info"]["keyShare"])
        usr, pwd = (
            proofs.rc4(
                proofs.session_key(what, login.nonce, secret),
                bytes.fromhex(result["info"]["session"][what]),
            )
            for what in ("usr", "pwd")
        )
        self.session = Session(usr.decode(), pwd.decode())
        return self._label(result)

    def _result(self, client: Client) -> dict[str, Any]:
        while True:
            message = client.expect("Authorize", "LoginResult", "Redirect")
            assert message["mt"] != "Redirect"
            if message["mt"] == "Authorize":
                self.told(message["code"])
                continue
            if message.get("error"):
                raise ValueError(message["errorText"])
            return message

    @staticmethod
    def _label(result: Message) -> str:
        label: str = result["info"]["user"]["sip"]
        return label
