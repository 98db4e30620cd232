"""PostgreSQL is restarted while users log in, at half of what the machine can do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
import requests
from django.conf import settings

from pbxsite.embedded.processes import web_server
from tests.support.own_postgresql import OwnPostgreSQL, own_postgresql
from tests.support.services import ROOT, SITE
from tests.support.site import free_port

pytestmark = [pytest.mark.long, pytest.mark.postgresql, pytest.mark.timeout(300)]
PATH, PASSWORD, USERS = "/mypbx/login/", "a long user's password", 50
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
MAKE_USERS = f"""
from django.contrib.auth.hashers import make_password
from authconfig.users.models import PbxUser
hashed = make_password({PASSWORD!r})
PbxUser.objects.bulk_create(
    PbxUser(name=f"u{{n}}", name_key=f"u{{n}}", password=hashed) for n in range({USERS})
)
"""
AT_ONCE, MEASURED_SECONDS = 8, 6.0
BEFORE_SECONDS, AWAY_SECONDS, AFTER_SECONDS = 3.0, 1.0, 8.0
# What the server itself needs until the first connection, beside all that runs here.
LONGEST_SECONDS = 1.0


@dataclass(frozen=True)
class Request:
    began_at: float
    ended_at: float
    status: int

    @property
    def seconds(self) -> float:
        return self.ended_at - self.began_at


@dataclass
class Users:
    url: str
    requests: list[Request] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def log_in(self) -> None:
        name = f"u{next(self.numbers) % USERS}"
        with requests.Session() as session:
            session.trust_env = False
            page = self._ask(session, "GET")
            if page and (token := TOKEN.search(page.text)):
                form = {"login": name, "password": PASSWORD}
                self._ask(session, "POST", form | {"csrfmiddlewaretoken": token[1]})

    def _ask(
        self, session: requests.Session, method: str, form: dict[str, str] | None = None
    ) -> requests.Response | None:
        began, answer = time.monotonic(), None
        address = f"{self.url}{PATH}"
        with suppress(requests.RequestException):
            answer = session.request(
                method, address, data=form, allow_redirects=False, timeout=30
            )
        status = answer.status_code if answer is not None else 0
        self.requests.append(Request(began, time.monotonic(), status))
        return answer

    def rate(self) -> float:
        """Return how many logins a second the machine can do."""
        limit = time.monotonic() + MEASURED_SECONDS

        def go_on() -> None:
            while time.monotonic() < limit:
                self.log_in()

        with ThreadPoolExecutor(AT_ONCE) as threads:
            for _ in range(AT_ONCE):
                threads.submit(go_on)
        done = sum(each.status == 302 for each in self.requests)
        self.requests.clear()
        return done / MEASURED_SECONDS

    @contextmanager
    def coming(self, rate: float) -> Iterator[None]:
        """Have them log in at this rate, however long each one takes."""
        over = threading.Event()
        with ThreadPoolExecutor(64) as threads:

            def come() -> None:
                while not over.wait(1 / rate):
                    threads.submit(self.log_in)

            coming = threading.Thread(target=come)
            coming.start()
            try:
                yield
            finally:
                over.set()
                coming.join()


@contextmanager
def running_site(server: OwnPostgreSQL, data_dir: Path) -> Iterator[Users]:
    environment = os.environ | SITE
    environment |= {
        # With the pool, as in production.
        "DJANGO_SETTINGS_MODULE": "tests.harnesses.chaos.settings",
        "DATABASE_URL": server.url,
        "REDIS_URL": settings.REDIS_URL,
        "DATA_DIR": str(data_dir),
        "LOG_LEVEL": "ERROR",
    }
    for words in (["migrate", "-v0"], ["shell", "--no-imports", "-c", MAKE_USERS]):
        command = [sys.executable, "manage.py", *words]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=120)
    port = free_port()
    process = subprocess.Popen(
        [*web_server("127.0.0.1", port), "--log-level", "warning"],
        cwd=ROOT,
        env=environment,
    )
    users = Users(f"http://127.0.0.1:{port}")
    try:
        _await(users)
        yield users
    finally:
        process.kill()
        process.wait(5)


def _await(users: Users) -> None:
    limit = time.monotonic() + 30
    while True:
        users.log_in()
        if users.requests[-1].status == 302:
            break
        assert time.monotonic() < limit, users.requests[-1]
        time.sleep(0.1)
    users.requests.clear()


def test_only_what_was_under_way_fails_and_nothing_is_slow_afterwards(
    tmp_path: Path,
) -> None:
    with own_postgresql() as server, running_site(server, tmp_path) as users:
        rate = users.rate() / 2
        with users.coming(rate):
            time.sleep(BEFORE_SECONDS)
            stopped_at = time.monotonic()
            server.stop()
            time.sleep(AWAY_SECONDS)
            server.start()
            back_at = time.monotonic()
            time.sleep(AFTER_SECONDS)
        seen = list(users.requests)

    failed = [each for each in seen if each.status not in (200, 302)]
    unexpected = [
        each for each in failed if not each.began_at <= stopped_at <= each.ended_at
    ]
    after = [each for each in seen if each.began_at >= back_at]
    slowest = max(each.seconds for each in after)
    away = max(e.seconds for e in seen if stopped_at <= e.began_at < back_at)
    told = (
        f"{rate:.0f} logins/s, {len(seen)} requests, {len(failed)} failed, slowest"
        f" {slowest:.2f} s after it was back, {away:.2f} s while it was away"
    )
    sys.stdout.write(f"{told}\n")
    assert len(after) > rate, told
    assert unexpected == [], told
    assert slowest <= LONGEST_SECONDS, told
