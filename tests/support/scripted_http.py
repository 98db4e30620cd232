"""What the scripted servers share: a thread answers HTTP as a test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs


class ScriptedHandler(BaseHTTPRequestHandler):
    script: Any
    # Where an answer of 302 leads.
    elsewhere = "https://elsewhere.example/"

    def read_form(self) -> dict[str, str]:
        length = int(self.headers["Content-Length"])
        form = parse_qs(self.rfile.read(length).decode())
        return {name: values[0] for name, values in form.items()}

    def answer(self, status: int, kind: str, body: bytes) -> None:
        try:
            self.send_response(status)
            self.send_before_the_rest()
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", self.elsewhere)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # nobody waits any more

    def send_before_the_rest(self) -> None:
        """Do what a test wants between an answer's first bytes."""

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def answering(handler: type[ScriptedHandler], script: Any) -> Iterator[str]:
    """Run the server; `script.ended` is set before it stops waiting for its threads."""
    told = type("Handler", (handler,), {"script": script})
    with ThreadingHTTPServer(("127.0.0.1", 0), told) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            script.ended.set()
            server.shutdown()
            thread.join()
