"""Verification e-mails while Redis is switched off: real processes, real logins."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
import requests
from django.utils import timezone

from authconfig.users.models import PbxUser
from tests.conftest import PASSWORD, SettingsSetter
from tests.support.heartbeats import silent_parts
from tests.support.redis_servers import Redis, running_redis
from tests.support.server import running_server, shared
from tests.support.services import ROOT, SITE
from tests.support.smtp_servers import Server
from tests.support.visitor import TOKEN
from verification.mail.choices import MailState, Part
from verification.mail.models import OutgoingEmail

pytestmark = [
    pytest.mark.long,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(300),
]
LOGINS, LONGEST_SECONDS, LIMIT_SECONDS = 30, 6.0, 30


@pytest.fixture
def redis() -> Iterator[Redis]:
    with running_redis() as redis:
        yield redis


@pytest.fixture
def ready(configure: SettingsSetter, server: Server) -> Server:
    for number in range(LOGINS):
        name = f"user{number}"
        PbxUser.objects.create_user(name, PASSWORD, email=f"{name}@example.com")
    configure(
        two_factor=True,
        verification_link="https://pbx.example/PBX0/session.xml",
        smtp_server="127.0.0.1",
        smtp_port=server.port,
        smtp_security="none",
        smtp_email_address="pbx@example.com",
    )
    return server


def own_redis(redis: Redis) -> dict[str, str]:
    """By TEST_SERVICES the tests' package would give a process another Redis."""
    own = {"REDIS_URL": redis.url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    return own | {"TEST_SERVICES": ""}


@contextmanager
def running_worker(redis: Redis) -> Iterator[None]:
    command = [
        *(sys.executable, "-m", "celery", "-A", "pbxsite", "worker"),
        *("--pool", "threads", "--concurrency", "4", "--loglevel", "ERROR"),
    ]
    own = own_redis(redis)
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | SITE | shared() | own
    )
    try:
        limit = time.monotonic() + LIMIT_SECONDS
        while Part.WORKER in silent_parts():
            assert time.monotonic() < limit, "the worker says nothing"
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(LIMIT_SECONDS)


def log_in(url: str, name: str) -> datetime:
    """Return when the password was posted."""
    with requests.Session() as session:
        session.trust_env = False
        token = TOKEN.search(session.get(f"{url}/login/", timeout=20).text)
        assert token
        form = {"login": name, "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
        began_at = timezone.now()
        answer = session.post(f"{url}/login/", form, allow_redirects=False, timeout=20)
    assert answer.headers["Location"] == "/login/waiting/"
    return began_at


def waited(name: str, since: datetime) -> float:
    """Return the seconds until the server had accepted the user's e-mail."""
    limit = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < limit:
        mail = OutgoingEmail.objects.get(user__name=name)
        if mail.ended_at:
            assert mail.state == MailState.SENT, mail.words
            return (mail.ended_at - since).total_seconds()
        time.sleep(0.05)
    raise AssertionError("no e-mail went out")


def times_of_logins(redis: Redis) -> list[float]:
    own = own_redis(redis)
    with running_server(**own) as (port, _process):
        names = [f"user{number}" for number in range(LOGINS)]
        return [waited(n, log_in(f"http://127.0.0.1:{port}", n)) for n in names]


def test_they_go_out_within_six_seconds(ready: Server, redis: Redis) -> None:
    with running_worker(redis):
        assert redis.clients()
        redis.stop(signal.SIGKILL)

        times = times_of_logins(redis)

    sys.stdout.write(f"{len(times)} logins, {max(times):.1f} s at most\n")
    assert max(times) < LONGEST_SECONDS, times
    assert len(ready.mails) == LOGINS


def test_a_worker_that_starts_without_redis_sends_them_as_well(
    ready: Server, redis: Redis
) -> None:
    redis.stop(signal.SIGKILL)

    with running_worker(redis):
        times = times_of_logins(redis)

    assert max(times) < LONGEST_SECONDS, times
    assert len(ready.mails) == LOGINS
