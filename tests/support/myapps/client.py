"""The client: one connection, its messages, and the ways to log in."""

from __future__ import annotations

import json
import secrets
import ssl
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from socket import SHUT_RDWR
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support.myapps import proofs

Message = dict[str, Any]
PATH = "/PBX0/APPCLIENT/websocket"
ANSWER_SECONDS = 15.0
USR_CHARACTERS, PWD_CHARACTERS = 32, 23


class LoginError(Exception):
    """A LoginResult with an error: its number, and the sentence for the user."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(f"{number}: {text}")
        self.number, self.text = number, text


@dataclass(frozen=True)
class Session:
    """What a client keeps, so that the next login asks the user for nothing."""

    usr: str
    pwd: str


@dataclass
class Login:
    """A login on its way: what was sent and what the server's answer must fit."""

    type: str
    nonce: str
    authenticate: Message = field(default_factory=dict)
    name: str = ""
    password: str = ""
    keys: proofs.KeyPair | None = None

    @property
    def url(self) -> str:
        """The page that the user opens in any browser."""
        url: str = self.authenticate["url"]
        return url


@dataclass(frozen=True)
class LoggedIn:
    info: Message
    session: Session | None

    @property
    def user(self) -> Message:
        user: Message = self.info["user"]
        return user


class Client:
    """A connection to a site, until the block ends.

    Messages that nobody waits for yet are kept, and found by a later wait.
    """

    def __init__(
        self,
        site: str,
        path: str = PATH,
        *,
        user_agent: str = "myApps (Test)",
        trusts: str = "",
        **options: Any,
    ) -> None:
        address = site.replace("http", "ws", 1) + path
        if trusts:
            options["ssl"] = ssl.create_default_context(cafile=trusts)
        # What a block leaves, so that the connection can be kept without one.
        self._opened = ExitStack()
        self._socket = self._opened.enter_context(connect(address, **options))
        self.user_agent = user_agent
        self._kept: list[Message] = []
        self.last_text = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._opened.close()

    def vanish(self) -> None:
        """Go away without a word of goodbye."""
        self._socket.socket.shutdown(SHUT_RDWR)

    def send(self, mt: str, **values: Any) -> None:
        self.send_text(proofs.as_sent({"mt": mt} | values))

    def send_text(self, text: str) -> None:
        self._socket.send(text)

    def next(self, seconds: float = ANSWER_SECONDS) -> Message:
        """Return the next message, whatever it is."""
        if self._kept:
            return self._kept.pop(0)
        return self._next(time.monotonic() + seconds)

    def expect(self, *names: str, seconds: float = ANSWER_SECONDS) -> Message:
        """Return the next message of one of these names; TimeoutError if none comes."""
        deadline = time.monotonic() + seconds
        for number, message in enumerate(self._kept):
            if message["mt"] in names:
                return self._kept.pop(number)
        while True:
            message = self._next(deadline)
            if message["mt"] in names:
                return message
            self._kept.append(message)

    def expect_none(self, *names: str, seconds: float) -> None:
        try:
            message = self.expect(*names, seconds=seconds)
        except TimeoutError:
            return
        raise AssertionError(message)

    def expect_closed(self, seconds: float = ANSWER_SECONDS) -> int | None:
        """Read until the server closes the connection; return its code."""
        deadline = time.monotonic() + seconds
        try:
            while True:
                self._kept.append(self._next(deadline))
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None

    def ask(self, mt: str, answer: str, **values: Any) -> Message:
        self.send(mt, **values)
        return self.expect(answer)

    def begin(self, type_: str, **values: Any) -> Login:
        """Send the first Login, which asks how to log in; LoginError if not at all."""
        login = Login(type_, nonce=secrets.token_hex(8))
        self.send("Login", type=type_, userAgent=self.user_agent, **values)
        return self._authenticated(login)

    def begin_oauth2(self) -> Login:
        """Send the one Login of OAuth2; the user then opens its `url`."""
        keys = proofs.KeyPair()
        login = Login("user", nonce=secrets.token_hex(8), keys=keys)
        self.send(
            "Login",
            type="user",
            method="oauth2",
            nonce=login.nonce,
            keyShare=keys.share,
            userAgent=self.user_agent,
        )
        return self._authenticated(login)

    def prove(self, login: Login, name: str, password: str) -> None:
        """Send the second Login, with the digest that proves the password."""
        login.name, login.password = name, password
        asked = login.authenticate
        digest = proofs.response(
            login.type,
            asked["domain"],
            name,
            password,
            login.nonce,
            asked["challenge"],
        )
        self.send(
            "Login",
            type=login.type,
            method="digest",
            username=name,
            nonce=login.nonce,
            response=digest,
            userAgent=self.user_agent,
        )

    def expect_code(self) -> int:
        """Return the digits that the user types where the login is approved."""
        code = self._of_login("Authorize")["code"]
        assert type(code) is int
        return code

    def expect_logged_in(
        self, login: Login, seconds: float = ANSWER_SECONDS
    ) -> LoggedIn:
        """Return the result once it is there, and right; LoginError if it is none."""
        answer = self._of_login("LoginResult", seconds=seconds)
        info = answer["info"]
        # The digest is over the text as it was sent.
        assert f'"info":{proofs.as_sent(info)}' in self.last_text
        if login.keys:
            login.name = info["user"]["sip"]
            login.password = login.keys.secret(info["keyShare"])
        expected = proofs.result(
            login.authenticate["domain"],
            login.name,
            login.password,
            login.nonce,
            login.authenticate["challenge"],
            info,
        )
        assert answer["digest"] == expected
        return LoggedIn(info, _session_in(info, login))

    def log_in(self, name: str, password: str) -> LoggedIn:
        """Log in with user name and password, where nobody has to approve."""
        login = self.begin("user")
        assert login.authenticate["method"] == "digest"
        self.prove(login, name, password)
        return self.expect_logged_in(login)

    def resume(self, session: Session) -> LoggedIn:
        login = self.begin("session")
        self.prove(login, session.usr, session.pwd)
        return self.expect_logged_in(login)

    def _authenticated(self, login: Login) -> Login:
        login.authenticate = self._of_login("Authenticate")
        assert login.authenticate["type"] == login.type
        return login

    def _of_login(self, name: str, seconds: float = ANSWER_SECONDS) -> Message:
        message = self.expect(name, "LoginResult", seconds=seconds)
        if "error" in message:
            raise LoginError(message["error"], message["errorText"])
        assert message["mt"] == name, message
        return message

    def _next(self, deadline: float) -> Message:
        text = self._socket.recv(max(deadline - time.monotonic(), 0.001))
        assert isinstance(text, str)
        message: Message = json.loads(text)
        if message["mt"] == "LoginResult":
            self.last_text = text
        return message


def _session_in(info: Message, login: Login) -> Session | None:
    """Uncover the session of a login, if it has one; its lengths are the protocol's."""
    if "session" not in info:
        return None
    usr, pwd = (
        proofs.rc4(
            proofs.session_key(what, login.nonce, login.password),
            bytes.fromhex(info["session"][what]),
        ).decode("ascii")
        for what in ("usr", "pwd")
    )
    assert len(usr) == USR_CHARACTERS
    assert set(usr) <= set("0123456789abcdef")
    assert len(pwd) == PWD_CHARACTERS
    return Session(usr, pwd)
