"""The web server as the site runs it, on the tests' own database."""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection

from pbxsite.embedded.processes import web_server
from tests.support.services import ROOT, SITE
from tests.support.site import free_port

START_LIMIT_SECONDS = 20


@contextmanager
def running_server(
    application: str = "pbxsite.asgi:application",
    place: Path = ROOT,
    /,
    **environment: str,
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run one process until the block ends; yield its port and the process."""
    port = free_port()
    process = subprocess.Popen(
        [*web_server("127.0.0.1", port, application), "--log-level", "warning"],
        cwd=place,
        env=os.environ | SITE | shared() | environment,
    )
    try:
        _await_answer(port)
        yield port, process
    finally:
        process.kill()
        process.wait(5)


def shared() -> dict[str, str]:
    """What the server and the test have to have in common."""
    return {
        "DJANGO_SETTINGS_MODULE": "pbxsite.settings",
        "DATABASE_URL": _database_url(),
        "SECRET_KEY": settings.SECRET_KEY,
        "REDIS_URL": settings.REDIS_URL,
    }


def _database_url() -> str:
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{name}"


def _await_answer(port: int) -> None:
    deadline = time.monotonic() + START_LIMIT_SECONDS
    while True:
        with contextlib.suppress(OSError):
            asked = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            asked.request("GET", "/livez")
            asked.getresponse().read()
            asked.close()
            return
        assert time.monotonic() < deadline
        time.sleep(0.1)
