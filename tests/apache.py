"""A real Apache on this machine, with a file out of the documentation."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import requests

from tests.certificates import make_authority

DOCS = Path(__file__).resolve().parent.parent / "docs"
MODULES = "/usr/lib/apache2/modules"
NEEDED = (
    "mpm_event",
    "authn_core",
    "authz_core",
    "authz_user",
    "ssl",
    "proxy",
    "proxy_http",
    "auth_openidc",
)
STARTS_WITHIN_SECONDS = 15


def documented(language: str) -> str:
    """Return the one file of that language in docs/clients.md."""
    text = (DOCS / "clients.md").read_text()
    (found,) = re.findall(rf"```{language}\n(.*?)```", text, re.S)
    return str(found)


class _Echo(BaseHTTPRequestHandler):
    """The page: tells who it was told the visitor is."""

    def do_GET(self) -> None:
        lines = [f"{name}: {value}" for name, value in self.headers.items()]
        body = "\n".join(lines).encode("latin-1")
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def echo_page() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def running_apache(directory: Path, port: int, virtual_host: str) -> Iterator[None]:
    """Run it with a `VirtualHost` whose certificate is `directory`/server.pem."""
    (directory / "server.pem").write_text(make_authority().server_pem())
    path = directory / "apache2.conf"
    path.write_text(_frame(directory, port) + virtual_host)
    words = ["/usr/sbin/apache2", "-DFOREGROUND", "-d", str(directory), "-f", str(path)]
    process = subprocess.Popen(words)
    try:
        _await_answer(port)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


def _frame(directory: Path, port: int) -> str:
    """Return what Debian's own files say in an installation."""
    # Root's children may not be root; anybody else's are himself.
    user = ["User www-data", "Group www-data"] if os.geteuid() == 0 else []
    loads = [f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in NEEDED]
    return "\n".join(
        [
            *loads,
            *user,
            "ServerName 127.0.0.1",
            f"Listen 127.0.0.1:{port}",
            f"PidFile {directory}/apache2.pid",
            f"ErrorLog {directory}/error.log",
            "Mutex fcntl",
            f"DefaultRuntimeDir {directory}",
            "",
        ]
    )


def _await_answer(port: int) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < deadline:
        try:
            requests.get(f"http://127.0.0.1:{port}/", timeout=2)
        except requests.ConnectionError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("Apache did not start")
