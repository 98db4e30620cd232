"""A provider whose tokens live for seconds, and which has no time now and then."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any

from tests.support.certificates import make_authority

LIFETIME_SECONDS = 12
# So many of a hundred requests are refused for the moment, or answered late.
BUSY, LATE = 15, 15
LATE_SECONDS = 1.5
MAILBOX = "pbx@example.com"


class Provider:
    """Its key, by which the server tells its tokens, and its address."""

    def __init__(self, directory: Path, random: Random) -> None:
        self.key, self.pem = secrets.token_hex(16), directory / "server.pem"
        self.given = self.refused = 0
        self._random, self._authority = random, make_authority()
        self.pem.write_text(self._authority.server_pem())

    def __enter__(self) -> Provider:
        handler = type("Handler", (_Handler,), {"provider": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def settings(self) -> dict[str, Any]:
        return {
            "smtp_security": "tls",
            "smtp_ca_certificate": self._authority.ca_pem,
            "smtp_username": MAILBOX,
            "smtp_login": "client_secret",
            "smtp_oauth2_grant": "client_credentials",
            "smtp_oauth2_token_url": f"http://127.0.0.1:{self._server.server_port}/",
            "smtp_oauth2_client_id": "pbx",
            "smtp_oauth2_client_secret": "a-secret-of-the-run",
        }

    def answer(self) -> tuple[int, dict[str, Any]]:
        number = self._random.randrange(100)
        if number < BUSY:
            self.refused += 1
            return 503, {"error": "temporarily_unavailable"}
        if number < BUSY + LATE:
            time.sleep(LATE_SECONDS)
        self.given += 1
        told = {"token_type": "Bearer", "expires_in": LIFETIME_SECONDS}
        return 200, told | {"access_token": make_token(self.key)}


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, told = self.provider.answer()
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def make_token(key: str) -> str:
    ends_at = str(round(time.time() + LIFETIME_SECONDS))
    return f"{ends_at}.{_seal(key, ends_at)}"


def opens(key: str, token: str) -> bool:
    """Is it one of the provider's that has not ended?"""
    ends_at, _dot, seal = token.partition(".")
    return hmac.compare_digest(seal, _seal(key, ends_at)) and time.time() < int(ends_at)


def _seal(key: str, text: str) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
