"""A token endpoint that says what a test tells it to: no real one shows such faults."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from authconfig.choices import OAuth2Grant
from tests.support.mail_provider import MAILBOX, SECRET
from tests.support.scripted_http import ScriptedHandler, answering
from verification.mail.oauth2.configuration import ClientShows, Configuration

Answer = tuple[int, str, bytes]


def token(name: str = "token-1", **more: Any) -> Answer:
    told = {"access_token": name, "token_type": "Bearer", "expires_in": 3600}
    return 200, "application/json", json.dumps(told | more).encode()


def refusal(
    error: str, description: str = "", status: int = 400, **more: Any
) -> Answer:
    told = {"error": error, "error_description": description} | more
    return status, "application/json", json.dumps(told).encode()


@dataclass
class TokenEndpoint:
    """`answers` are given in turn, the last of them from then on."""

    url: str = ""
    answers: list[Answer] = field(default_factory=lambda: [token()])
    # Refuse with all that was sent as the description.
    repeats: bool = False
    before_answer: Callable[[], object] = lambda: None
    forms: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def configuration(
        self,
        grant: OAuth2Grant = OAuth2Grant.CLIENT_CREDENTIALS,
        shows: ClientShows = ClientShows.POST,
        **changes: Any,
    ) -> Configuration:
        values: dict[str, Any] = {
            "grant": grant,
            "client_shows": shows,
            "token_url": self.url,
            "client_id": "pbx",
            "client_secret": SECRET,
            "scope": "smtp",
            "username": MAILBOX,
        }
        return Configuration(**(values | changes))

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Return the columns of a login by client credentials."""
        return {
            "smtp_login": "client_secret",
            "smtp_oauth2_grant": "client_credentials",
            "smtp_oauth2_token_url": self.url,
            "smtp_oauth2_client_id": "pbx",
            "smtp_oauth2_client_secret": SECRET,
            "smtp_oauth2_scope": "smtp",
            "smtp_username": MAILBOX,
        } | changes

    def next_answer(self) -> Answer:
        if self.repeats:
            return refusal("invalid_request", " ".join(self.forms[-1].values()))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class _Handler(ScriptedHandler):
    script: TokenEndpoint

    def do_POST(self) -> None:
        self.script.forms.append(self.read_form())
        self.script.headers.append(dict(self.headers.items()))
        answer = self.script.next_answer()
        self.script.before_answer()
        self.answer(*answer)


@contextmanager
def token_endpoint() -> Iterator[TokenEndpoint]:
    script = TokenEndpoint()
    with answering(_Handler, script) as address:
        script.url = f"{address}/token"
        yield script
