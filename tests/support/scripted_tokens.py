"""A token endpoint that says what a test tells it to: no real one shows such faults."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from authconfig.choices import OAuth2Grant
from tests.support.mail_provider import MAILBOX, SECRET
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


class _Handler(BaseHTTPRequestHandler):
    script: TokenEndpoint

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        form = parse_qs(self.rfile.read(length).decode())
        self.script.forms.append({name: values[0] for name, values in form.items()})
        self.script.headers.append(dict(self.headers.items()))
        status, kind, body = self.script.next_answer()
        self.script.before_answer()
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", "https://elsewhere.example/")
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # nobody waits any more

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def token_endpoint() -> Iterator[TokenEndpoint]:
    script = TokenEndpoint()
    handler = type("Handler", (_Handler,), {"script": script})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        script.url = f"http://127.0.0.1:{server.server_port}/token"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield script
        finally:
            script.ended.set()
            server.shutdown()
            thread.join()
