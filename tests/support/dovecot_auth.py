"""What Postfix asks about passwords: Dovecot's authentication, as far as it asks.

It takes every password. Only so does Postfix know who has logged in.
"""

from __future__ import annotations

import socketserver
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

HELLO = (
    "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\n"
    "COOKIE\t0123456789abcdef0123456789abcdef\nDONE\n"
)


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(HELLO.encode())
        for line in self.rfile:
            verb, *words = line.decode().rstrip("\n").split("\t")
            if verb == "AUTH":
                (response,) = [w[5:] for w in words if w.startswith("resp=")]
                user = b64decode(response).decode().split("\0")[1]
                self.wfile.write(f"OK\t{words[0]}\tuser={user}\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@contextmanager
def running_authentication() -> Iterator[str]:
    """Yield the settings by which Postfix asks it."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield (
            "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\n"
            f"smtpd_sasl_path = inet:127.0.0.1:{server.server_address[1]}\n"
        )
        server.shutdown()
        thread.join()
