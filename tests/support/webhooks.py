"""A receiver of webhooks, which verifies them as the Standard Webhooks say."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.settings_data import WEBHOOK_SECRET


class Receiver(ThreadingHTTPServer):
    """Keeps the headers and body of each call, and answers as it is set to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.calls: list[tuple[dict[str, str], str]] = []
        self.status, self.seconds = 204, 0.0
        self.url = f"http://127.0.0.1:{self.server_address[1]}/alarms"

    @property
    def settings(self) -> dict[str, str]:
        return {
            "alarm_webhook_url": self.url,
            "alarm_webhook_secret": WEBHOOK_SECRET,
        }

    def told(self) -> list[dict[str, Any]]:
        """Return what each call says; AssertionError if one is not signed."""
        for headers, body in self.calls:
            assert is_signed(headers, body)
        return [json.loads(body) for _headers, body in self.calls]


def is_signed(headers: dict[str, str], body: str) -> bool:
    at = headers["webhook-timestamp"]
    key = base64.b64decode(WEBHOOK_SECRET.partition("_")[2])
    content = f"{headers['webhook-id']}.{at}.{body}".encode()
    wanted = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    return headers["webhook-signature"] == f"v1,{wanted}"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.calls.append((headers, body))
        time.sleep(self.server.seconds)
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Stay silent."""


@contextmanager
def webhook_receiver() -> Iterator[Receiver]:
    server = Receiver()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
