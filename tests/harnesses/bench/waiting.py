"""Thousands of browsers that wait, on one process of the web server."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from string import ascii_lowercase, digits
from typing import Any

from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.utils import timezone
from django.utils.crypto import get_random_string

from authconfig.choices import Origin
from authconfig.models import AuthenticationSettings, current_rules
from authconfig.users.models import PbxUser
from tests.harnesses.bench.figures import Figure
from tests.harnesses.bench.usage import cores
from tests.harnesses.bench.waiters import next_told, waiting_browsers
from tests.support.server import running_server
from verification.approval import flows
from verification.approval.live.streams import EVENTS_PATH
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code
from verification.sessions.choices import Approver

FEW, MANY = 2000, 20_000
# Besides a browser's own file, a process has so many.
OTHER_FILES = 300
POLLED = 2000
STATE_PATH = "/login/waiting/state/"
WARM_UP = 50
DECISIONS, SECONDS_BETWEEN = 300, 0.04
LOOKS, SECONDS_BETWEEN_LOOKS = 20, 0.1
LIMIT_KIB, LIMIT_MS = 30, 250
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Load:
    """What the server takes at one moment."""

    kib: int
    threads: int
    database_connections: int


@dataclass(frozen=True)
class Measured:
    before: Load
    waiting: Load
    p99_ms: float


def figures() -> Iterator[Figure]:
    many = allow_many_files()
    switch_two_factor_on()
    polled = measure(POLLED, poll=True)
    peer = f"a poll each second, of {POLLED}"
    for count in (FEW, many):
        measured = measure(count)
        prefix = f"{count} waiting browsers"
        yield from taken(prefix, count, measured)
        yield Figure(
            f"{prefix}: decision to event, p99",
            round(measured.p99_ms, 1),
            "ms",
            peer,
            measured.p99_ms / polled.p99_ms,
        )


def taken(prefix: str, count: int, measured: Measured) -> Iterator[Figure]:
    before, waiting = measured.before, measured.waiting
    each = (waiting.kib - before.kib) / count
    limit = f"the limit of {LIMIT_KIB} KiB"
    yield Figure(
        f"{prefix}: memory each", round(each, 1), "KiB", limit, each / LIMIT_KIB
    )
    yield Figure(
        f"{prefix}: threads",
        waiting.threads,
        "",
        "the same server before them",
        waiting.threads / before.threads,
    )
    yield Figure(
        f"{prefix}: connections to the database",
        waiting.database_connections,
        "",
        "one for each browser",
        waiting.database_connections / count,
    )


def allow_many_files() -> int:
    """Return how many browsers this machine lets two processes have.

    Each is an open file of the server's, and of the browsers' process.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = MANY + OTHER_FILES
    # Root alone may raise the second one, and not everywhere.
    with suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, max(hard, needed)))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, needed), hard))
    return min(MANY, hard - OTHER_FILES)


def switch_two_factor_on() -> None:
    AuthenticationSettings.load()
    AuthenticationSettings.objects.update(
        two_factor=True,
        verification_link="https://pbx.example/PBX0/session.xml",
        smtp_server="127.0.0.1",
        smtp_email_address="pbx@example.com",
    )
    current_rules.forget()


def measure(count: int, *, poll: bool = False) -> Measured:
    waiting = pending_logins(count)
    application = "tests.harnesses.bench.polling" if poll else "pbxsite.asgi"
    with running_server(f"{application}:application") as (port, server):
        near, _far = cores()
        os.sched_setaffinity(server.pid, {near})
        with browsers(port, dict(list(waiting.items())[:WARM_UP]), poll=poll):
            pass
        before = load_of(server.pid)
        with browsers(port, waiting, poll=poll) as process:
            during = highest_load_of(server.pid)
            decided_at = decide(list(waiting)[:: count // DECISIONS])
            times = delays(process, decided_at)
    return Measured(before, during, quantiles(times, n=100)[98] * 1000)


def pending_logins(count: int) -> dict[int, str]:
    """Hold as many logins; return the key of each one's session.

    One is begun as any other, the others are its likeness for other users.
    """
    PbxUser.objects.filter(name__startswith="waiter").delete()
    pattern, stash = hold_one()
    users = PbxUser.objects.bulk_create(
        PbxUser(name=f"waiter{number}", password=pattern.user.password)
        for number in range(count)
    )
    logins = LoginSession.objects.bulk_create(
        LoginSession(
            user=user,
            kind=pattern.kind,
            method=pattern.method,
            auth_hash=user.get_session_auth_hash(),
            expires_at=pattern.expires_at,
        )
        for user in users
    )
    sessions = Session.objects.bulk_create(session_of(login, stash) for login in logins)
    pairs = zip(logins, sessions, strict=True)
    return {login.pk: session.session_key for login, session in pairs}


def hold_one() -> tuple[LoginSession, dict[str, Any]]:
    user = PbxUser.objects.create_user("waiter", PASSWORD, email="w@example.com")
    browser = Client()
    browser.post("/login/", {"login": user.name, "password": PASSWORD})
    return LoginSession.objects.get(user=user), browser.session["account_login"]


def session_of(login: LoginSession, stash: dict[str, Any]) -> Session:
    stages = stash["state"]["stages"] | {"approval": {"data": {"login": login.pk}}}
    state = stash["state"] | {"stages": stages}
    kept = stash | {"user_pk": user_pk_to_url_str(login.user), "state": state}
    return Session(
        session_key=get_random_string(32, ascii_lowercase + digits),
        session_data=SessionStore().encode({"account_login": kept}),
        expire_date=timezone.now() + settings.SESSION_IDLE_TTL,
    )


def browsers(
    port: int, waiting: dict[int, str], *, poll: bool
) -> AbstractContextManager[subprocess.Popen[str]]:
    """Let a browser wait for each login, while the context lasts."""
    words = ["--poll", str(port), STATE_PATH] if poll else [str(port), EVENTS_PATH]
    name = settings.SESSION_COOKIE_NAME
    cookies = {login: f"{name}={key}" for login, key in waiting.items()}
    return waiting_browsers(words, cookies)


def load_of(pid: int) -> Load:
    status = Path(f"/proc/{pid}/status").read_text()
    numbers = dict(re.findall(r"^(VmRSS|Threads):\s+(\d+)", status, re.MULTILINE))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        (connections,) = cursor.fetchone()
    return Load(int(numbers["VmRSS"]), int(numbers["Threads"]), connections)


def highest_load_of(pid: int) -> Load:
    """Look several times: a connection is held for moments alone."""
    seen = []
    for _ in range(LOOKS):
        seen.append(load_of(pid))
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return Load(
        max(load.kib for load in seen),
        max(load.threads for load in seen),
        max(load.database_connections for load in seen),
    )


def decide(pks: list[int]) -> dict[int, float]:
    """Accept the logins one after the other, as another process would; return when."""
    decided_at = {}
    for pk in pks:
        login = LoginSession.objects.select_related("user").get(pk=pk)
        code = approval_code(login)
        decided_at[pk] = time.monotonic()
        flows.accept(login, code, approver=Approver.EMAIL, origin=Origin())
        time.sleep(SECONDS_BETWEEN)
    return decided_at


def delays(process: subprocess.Popen[str], decided_at: dict[int, float]) -> list[float]:
    """Return the seconds until each browser was told of its login's decision."""
    taken = []
    for _ in decided_at:
        login, told_at = next_told(process)
        taken.append(told_at - decided_at[login])
    return taken
