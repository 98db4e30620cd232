"""Forward authentication: what a proxy's question costs, beside a bare Django view."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY
from django.contrib.auth import SESSION_KEY as USER_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import get_random_string

from authconfig.clients.choices import Kind
from authconfig.clients.models import ClientApplication
from authconfig.clients.session_kinds import BEGAN_KEY, SESSION_KEY
from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from tests.harnesses.bench.figures import Figure
from tests.harnesses.bench.usage import cores
from tests.harnesses.bench.waiting import allow_many_files
from tests.support.server import running_server
from tests.support.services import ROOT
from verification.sessions.lifecycle import RENEWED_KEY

VISITORS, FEW = 500, 20
ROUNDS, SECONDS = 3, 4.0
OURS = "/forward-auth/myapps/"
BARE = "tests.harnesses.bench.bare"
Measured = dict[str, float]


def figures() -> Iterator[Figure]:
    allow_many_files()
    AuthenticationSettings.load()
    ClientApplication.objects.get_or_create(slug="myapps", name="myApps")
    cookies = signed_in(VISITORS)
    near, _far = cores()
    own_settings = {"DJANGO_SETTINGS_MODULE": f"{BARE}_settings"}
    with (
        running_server() as (port, ours),
        running_server(f"{BARE}:application", **own_settings) as (bare_port, bare),
    ):
        for server in (ours, bare):
            os.sched_setaffinity(server.pid, {near})
        asked = {
            "forward authentication": (port, OURS),
            "a bare Django view": (bare_port, "/bare/"),
            "a Django view that reads the session": (bare_port, "/session/"),
        }
        yield from compared(asked, cookies[:FEW])
        yield from compared(asked, cookies)


def compared(asked: dict[str, tuple[int, str]], cookies: list[str]) -> Iterator[Figure]:
    """Measure all of them in turns; only one server has something to do at a time."""
    found: dict[str, list[Measured]] = {name: [] for name in asked}
    for _ in range(ROUNDS):
        for name, (port, path) in asked.items():
            found[name].append(measure(port, path, cookies))
    ours, *peers = asked
    for peer in peers:
        for word, unit in (("rate", "1/s"), ("p99", "ms")):
            value, other = (median(m[word] for m in found[n]) for n in (ours, peer))
            name = f"{ours}, {len(cookies)} connections: {_words(word)}"
            yield Figure(name, round(value, 1), unit, peer, value / other)


def _words(word: str) -> str:
    return {"rate": "answers", "p99": "p99"}[word]


def measure(port: int, path: str, cookies: list[str]) -> Measured:
    _near, far = cores()
    command = [sys.executable, "-m", "tests.harnesses.bench.askers", str(port), path]
    done = subprocess.run(
        [*command, str(SECONDS)],
        cwd=ROOT,
        input="\n".join([*cookies, "", ""]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
        preexec_fn=lambda: os.sched_setaffinity(0, {far}),
    )
    measured: Measured = json.loads(done.stdout)
    return measured


def signed_in(count: int) -> list[str]:
    """Return the cookies of as many sessions, each of another user."""
    users = PbxUser.objects.bulk_create(
        PbxUser(name=f"visitor{n}", long_name=f"Jürgen {n}") for n in range(count)
    )
    sessions = Session.objects.bulk_create(_session_of(user) for user in users)
    UserSession.objects.bulk_create(
        UserSession(user=user, session_key=session.session_key, ip="127.0.0.1")
        for user, session in zip(users, sessions, strict=True)
    )
    name = settings.SESSION_COOKIE_NAME
    return [f"{name}={session.session_key}" for session in sessions]


def _session_of(user: PbxUser) -> Session:
    now = time.time()
    kept = {
        USER_KEY: str(user.pk),
        BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
        HASH_SESSION_KEY: user.get_session_auth_hash(),
        SESSION_KEY: Kind.MYAPPS,
        BEGAN_KEY: now,
        RENEWED_KEY: now,
    }
    return Session(
        session_key=get_random_string(32).lower(),
        session_data=SessionStore().encode(kept),
        expire_date=timezone.now() + settings.SESSION_IDLE_TTL,
    )
