"""Thousands of myApps clients on one process of the web server, and their logins."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import quantiles
from tempfile import TemporaryDirectory
from threading import Timer

from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.db import transaction

from authconfig.choices import Method, Origin
from authconfig.clients.choices import Kind
from authconfig.models import AuthenticationSettings, current_rules
from authconfig.users.models import PbxUser
from pbxsite.gateway.myapps import client_sessions
from pbxsite.gateway.myapps.models import ClientSession
from tests.harnesses.bench.figures import Figure
from tests.harnesses.bench.usage import cores
from tests.harnesses.bench.visitors import Door
from tests.harnesses.bench.waiting import (
    Load,
    allow_many_files,
    highest_load_of,
    load_of,
)
from tests.support.server import running_server, shared
from tests.support.services import ROOT, SITE
from verification.login.stages import Released

COUNT = 5000
WARM_UP = 50
ENDS, SECONDS_BETWEEN = 300, 0.04
LIMIT_KIB, LIMIT_MS, LIMIT_TIMES = 40, 250, 5
PASSWORD_LOGINS, SESSION_LOGINS = 100, 1000
LOGINS_AT_ONCE = 8
SLOWEST_SECONDS = 300
PASSWORD = "correct horse battery"
# All come from this machine.
MANY_LOGINS = {"LIMIT_LOGINS": "100000/m/ip"}


def figures() -> Iterator[Figure]:
    allow_many_files()
    AuthenticationSettings.load()
    current_rules.forget()
    made = sessions(COUNT + WARM_UP)
    with web_server() as (port, pid):
        yield from connected(port, pid, made)
    with web_server() as (port, _pid):
        yield logins(port, made[ENDS + WARM_UP :][:SESSION_LOGINS])


@contextmanager
def web_server() -> Iterator[tuple[int, int]]:
    """Run one process on a core of its own, with the files of the login page."""
    near, _far = cores()
    with TemporaryDirectory() as folder:
        own = {"STATIC_ROOT": folder} | MANY_LOGINS
        command = [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"]
        environment = os.environ | SITE | shared() | own
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        with running_server(**own) as (port, server):
            os.sched_setaffinity(server.pid, {near})
            yield port, server.pid


def sessions(count: int) -> list[ClientSession]:
    """Begin a session of a client for each of as many users."""
    pattern = PbxUser.objects.create_user("client", PASSWORD, email="c@example.com")
    users = PbxUser.objects.bulk_create(
        PbxUser(name=f"client{number}", password=pattern.password)
        for number in range(count)
    )
    released = Released(Kind.MYAPPS, Method.PASSWORD)
    origin = Origin("127.0.0.1", "myApps client: bench")
    with transaction.atomic():
        return [client_sessions.begin(user, released, origin) for user in users]


def connected(port: int, pid: int, made: list[ClientSession]) -> Iterator[Figure]:
    with clients("stay", port, made[:WARM_UP]):
        pass
    before = load_of(pid)
    with clients("stay", port, made[WARM_UP:]) as (process, _seconds):
        during = highest_load_of(pid)
        p99 = quantiles(delays(process, made[WARM_UP:][:ENDS]), n=100)[98] * 1000
    yield from taken(before, during, len(made) - WARM_UP)
    name = f"{COUNT} myApps clients: end to LogoutResult, p99"
    limit = f"the limit of {LIMIT_MS} ms"
    yield Figure(name, round(p99, 1), "ms", limit, p99 / LIMIT_MS)


def taken(before: Load, during: Load, count: int) -> Iterator[Figure]:
    each = (during.kib - before.kib) / count
    prefix, limit = f"{COUNT} myApps clients", f"the limit of {LIMIT_KIB} KiB"
    yield Figure(
        f"{prefix}: memory each", round(each, 1), "KiB", limit, each / LIMIT_KIB
    )
    yield Figure(
        f"{prefix}: threads",
        during.threads,
        "",
        "the same server before them",
        during.threads / before.threads,
    )
    yield Figure(
        f"{prefix}: connections to the database",
        during.database_connections,
        "",
        "one for each client",
        during.database_connections / count,
    )


def delays(process: subprocess.Popen[str], ended: list[ClientSession]) -> list[float]:
    """End sessions one after the other, as another process would."""
    ended_at = {}
    for client in ended:
        ended_at[client.pk] = time.monotonic()
        own = UserSession.objects.filter(pk=client.pk)
        get_adapter().end_sessions(own)
        time.sleep(SECONDS_BETWEEN)
    told = [read_line(process).split() for _ in ended]
    return [float(at) - ended_at[int(number)] for number, at in told]


def logins(port: int, made: list[ClientSession]) -> Figure:
    """Compare logins a second, each with a connection of its own, on one process."""
    by_password = password_logins(port)
    with clients("again", port, made) as (_process, seconds):
        by_session = len(made) / seconds
    return Figure(
        f"logins by session (limit {LIMIT_TIMES} times)",
        round(by_session, 1),
        "1/s",
        "logins by password",
        by_session / by_password,
    )


def password_logins(port: int) -> float:
    door = Door.of(port)
    began = time.monotonic()
    with ThreadPoolExecutor(LOGINS_AT_ONCE) as pool:
        tries = [("client", PASSWORD)] * PASSWORD_LOGINS
        statuses = list(pool.map(lambda each: door.log_in(*each), tries))
    assert set(statuses) == {302}, statuses
    return PASSWORD_LOGINS / (time.monotonic() - began)


@contextmanager
def clients(
    task: str, port: int, made: list[ClientSession]
) -> Iterator[tuple[subprocess.Popen[str], float]]:
    """Let clients log in by these sessions; yield once they have, with the seconds."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.harnesses.bench.myapps_clients", task, str(port)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    _near, far = cores()
    os.sched_setaffinity(process.pid, {far})
    try:
        lines = [f"{each.pk} {each.public_id} {each.password}\n" for each in made]
        assert process.stdin
        process.stdin.write("".join([*lines, "\n"]))
        process.stdin.flush()
        word, seconds = read_line(process).split()
        assert word == "ready"
        yield process, float(seconds)
    finally:
        process.kill()
        process.wait(5)


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    watchdog = Timer(SLOWEST_SECONDS, process.kill)
    watchdog.start()
    line = process.stdout.readline()
    watchdog.cancel()
    if not line:
        raise RuntimeError("the clients ended")
    return line
