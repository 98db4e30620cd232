"""What myApps clients do, for the model of the login.

They log in by a digest of the password, show the digits themselves, and come back by
their session. Each step is that of a connection, without the connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.core.cache import cache
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from authconfig.choices import Origin
from authconfig.models import AuthenticationSettings, current_rules
from authconfig.users import kept_passwords
from authconfig.users.models import PbxUser
from pbxsite.gateway.myapps import logins
from pbxsite.gateway.myapps.messages import login_request
from pbxsite.gateway.myapps.models import ClientSession
from pbxsite.gateway.myapps.proofs import Asked
from tests.support.myapps.proofs import response
from verification.approval import flows
from verification.approval.models import LoginSession
from verification.login.stages import Shown

CLIENTS = st.integers(0, 1)
NONCE, CHALLENGE = "0123456789abcdef", "fedcba9876543210"
OPEN = ("pending", "accepted")


class HeldLogin(Protocol):
    pk: int
    status: str

    def is_live(self, now: datetime) -> bool: ...


@dataclass
class Waiting:
    login: HeldLogin
    shown: Shown


@dataclass
class OfClient:
    """A client's session, and the number of the password with which it began."""

    usr: str
    pwd: str
    password: int


class MyAppsMoves:
    """The machine itself knows what became of logins, and whose password it is."""

    client_address = "192.0.2.1"
    is_active: bool
    password: int
    app: str
    sessions_begun: int
    known: set[str]
    waiting_clients: dict[int, Waiting]
    client_sessions: dict[int, OfClient]

    def _allow_digests(self) -> None:
        AuthenticationSettings.objects.update(myapps_digest_logins=True)
        current_rules.forget()

    @rule(client=CLIENTS, keeps=st.booleans(), leaves=st.booleans())
    def log_a_client_in(self, client: int, *, keeps: bool, leaves: bool) -> None:
        """The password may have been changed since it was kept."""
        machine: Any = self
        # What strangers have tried is another rule's business.
        cache.clear()
        self._leave(client)
        if keeps:
            kept_passwords.keep(PbxUser.objects.get(), machine._word())
        asked = Asked("user", "pbx", "anna", NONCE, CHALLENGE)
        found = logins.check_response(
            self._request(), asked, self._digest(asked, machine._word())
        )
        if isinstance(found, logins.Failed):
            assert not (keeps and self.is_active)
            return
        assert self.is_active
        ready = logins.go_on(found.shown, self._origin(), "en")
        if self.app:
            # A client cannot show it.
            assert isinstance(ready, logins.Failed)
            return
        assert isinstance(ready, LoginSession)
        login = machine._begin(None, shows_factor=False)
        self.waiting_clients[client] = Waiting(login, found.shown)
        if leaves:
            self._leave(client)

    @precondition(lambda machine: machine.waiting_clients)
    @rule(client=CLIENTS)
    def go_on_in_a_client(self, client: int) -> None:
        """The connection hears of the decision, or goes on too early."""
        machine: Any = self
        waiting = self.waiting_clients.get(client)
        if waiting is None:
            return
        row = LoginSession.objects.get(pk=waiting.login.pk)
        made = logins.complete(waiting.shown, row, self._origin())
        assert isinstance(made, ClientSession) is machine._may_continue(waiting.login)
        if isinstance(made, ClientSession):
            waiting.login.status = "completed"
            del self.waiting_clients[client]
            kept = OfClient(made.public_id, made.password, self.password)
            self.client_sessions[client] = kept
            self.known.add(self.client_address)
            self.sessions_begun += 1

    @precondition(lambda machine: machine.waiting_clients)
    @rule(client=CLIENTS)
    def lose_a_client(self, client: int) -> None:
        self._leave(client)

    @precondition(lambda machine: machine.client_sessions)
    @rule(client=CLIENTS, of=CLIENTS)
    def come_back_by_session(self, client: int, of: int) -> None:
        """With the own session's password, or with another one's."""
        own, other = (self.client_sessions.get(each) for each in (client, of))
        if own is None or other is None:
            return
        asked = Asked("session", "pbx", own.usr, NONCE, CHALLENGE)
        digest = self._digest(asked, other.pwd)
        found = logins.show_session(self._request(), asked, digest)
        stands = self.is_active and own.password == self.password
        assert isinstance(found, ClientSession) is (stands and own is other)

    def _leave(self, client: int) -> None:
        machine: Any = self
        waiting = self.waiting_clients.pop(client, None)
        if waiting is None:
            return
        flows.end_without_client(LoginSession.objects.get(pk=waiting.login.pk))
        if waiting.login.status in OPEN and waiting.login.is_live(machine._now()):
            waiting.login.status = "client_gone"

    def _digest(self, asked: Asked, secret: str) -> str:
        names = asked.type, asked.domain, asked.username
        return response(*names, secret, asked.nonce, asked.challenge)

    def _request(self) -> Any:
        scope = {"type": "websocket", "scheme": "ws", "path": "/", "headers": []}
        scope |= {"query_string": b"", "client": (self.client_address, 4711)}
        return login_request(scope, self._origin().user_agent)

    def _origin(self) -> Origin:
        return Origin(self.client_address, "myApps client: model")
