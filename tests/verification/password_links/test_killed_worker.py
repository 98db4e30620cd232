"""A worker that is killed while it writes invitations loses none and doubles none."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from authconfig.choices import Event
from authconfig.users.models import AuditEvent, PbxUser
from tests.support.server import shared
from tests.support.services import ROOT, SITE
from tests.support.smtp_servers import Server
from verification.mail.models import OutgoingEmail
from verification.password_links import invitations, making
from verification.password_links.models import LinkMail, PasswordLink

# Once is enough, where it matters most: with locks and several workers at a time.
pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
USERS = 1000
WORKER = (
    *(sys.executable, "-m", "celery", "-q", "-A", "pbxsite", "worker"),
    *("--pool", "threads", "--concurrency", "1", "--without-gossip", "-l", "error"),
)


@contextmanager
def running_worker() -> Iterator[subprocess.Popen[bytes]]:
    worker = subprocess.Popen(WORKER, cwd=ROOT, env=os.environ | SITE | shared())
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait(10)


def wait_until(happened: Callable[[], bool], pause: float = 0.005) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(pause)


def written() -> int:
    return LinkMail.objects.count()


@pytest.mark.long
def test_killing_a_worker_loses_and_doubles_no_invitation(server: Server) -> None:
    PbxUser.objects.bulk_create(
        PbxUser(name=f"u{n}", name_key=f"u{n}", email=f"u{n}@example.com", password="!")
        for n in range(USERS)
    )
    invitations.start(invitations.choose(PbxUser.objects.all()), actor=None)

    with running_worker():
        making.wake_making()
        wait_until(lambda: written() > 0)
    at_the_kill = written()
    with running_worker():
        making.wake_making()
        wait_until(lambda: not PasswordLink.objects.waiting().exists())

    assert 0 < at_the_kill < USERS, "the worker was not killed in between"
    recipients = Counter(OutgoingEmail.objects.values_list("recipient", flat=True))
    assert recipients == {f"u{n}@example.com": 1 for n in range(USERS)}
    assert AuditEvent.objects.filter(event=Event.INVITED).count() == USERS
