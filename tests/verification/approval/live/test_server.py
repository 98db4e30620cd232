"""Event streams at a real web server, run as the site runs it."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client as Browser

from authconfig.choices import Origin
from tests.support.server import running_server
from verification.approval import flows
from verification.approval.live.streams import EVENTS_PATH
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code
from verification.sessions.choices import Approver

pytestmark = pytest.mark.django_db(transaction=True)
PENDING = "event: state\ndata: pending\n\n"
ACCEPTED = "event: state\ndata: accepted\n\n"


class Follower:
    """A browser's open stream at a real server."""

    def __init__(self, port: int, browser: Browser) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        cookie = f"pbx_session={browser.cookies['pbx_session'].value}"
        headers = {"Cookie": cookie, "Accept": "text/event-stream"}
        self.connection.request("GET", EVENTS_PATH, headers=headers)

    def begin(self) -> None:
        self.response = self.connection.getresponse()
        assert self.response.status == 200
        assert self.event() == PENDING

    def event(self) -> str:
        lines = [self.response.readline() for _ in range(3)]
        return b"".join(lines).decode()


@contextmanager
def followers(port: int, browser: Browser, count: int) -> Iterator[list[Follower]]:
    opened = [Follower(port, browser) for _ in range(count)]
    try:
        for follower in opened:
            follower.begin()
        yield opened
    finally:
        for follower in opened:
            follower.response.close()
            follower.connection.close()


def open_database_handles(process: subprocess.Popen[bytes]) -> int:
    if connection.vendor == "sqlite":
        handles = Path(f"/proc/{process.pid}/fd").iterdir()
        return sum("sqlite3" in str(handle.readlink()) for handle in handles)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        found: int = cursor.fetchone()[0]
        return found


def test_200_streams_at_once_hold_no_thread_and_no_connection_each(
    browser: Browser, held: LoginSession
) -> None:
    with (
        running_server(LIMIT_STREAMS="1000") as (port, process),
        followers(port, browser, 200) as opened,
    ):
        threads = len(list(Path(f"/proc/{process.pid}/task").iterdir()))
        # Those that answer requests, the pool's of connections, and the server's own.
        assert threads <= min(32, (os.cpu_count() or 1) + 4) + 10
        time.sleep(0.3)
        # At most those of the pool, which stay open for the next requests.
        assert open_database_handles(process) <= 10

        began = time.monotonic()
        flows.accept(
            held, approval_code(held), approver=Approver.EMAIL, origin=Origin()
        )
        assert {follower.event() for follower in opened} == {ACCEPTED}
        assert time.monotonic() - began < 1
        assert {follower.response.read() for follower in opened} == {b""}


def test_a_server_that_is_told_to_end_does_not_wait_for_its_streams(
    browser: Browser, held: LoginSession
) -> None:
    with (
        running_server(LIMIT_STREAMS="1000") as (port, process),
        followers(port, browser, 20) as opened,
    ):
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)

        # Ended, not cut off: the last chunk came.
        assert {follower.response.read() for follower in opened} == {b""}
        process.wait(10)
        assert time.monotonic() - began < 3
