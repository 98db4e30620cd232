"""How long a login waits for its mail, idle and with recordings in the queue."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from django.test import Client as Browser
from django.utils import timezone

from authconfig.models import AuthenticationSettings, current_rules
from authconfig.users.models import PbxUser
from tests.harnesses.bench.figures import Figure
from tests.harnesses.bench.sinks import sink
from tests.support.heartbeats import silent_parts
from tests.support.recordings import wav
from tests.support.server import shared
from tests.support.services import ROOT, SITE
from verification.approval.models import LoginSession
from verification.mail.choices import MailState, Part
from verification.mail.models import OutgoingEmail
from verification.voicemail.mails import VOICEMAIL
from verification.voicemail.models import Voicemail

PASSWORD = "correct horse battery"
LOGINS = 60
RECORDINGS = 10_000
REPLY_SECONDS = 0.02
LIMIT_SECONDS = 60
# The worker has read the settings again by then.
SETTLED_SECONDS = 1.5


def delays(behind: str) -> Iterator[Figure]:
    """`behind` says what else is in the queue's table."""
    with (
        tempfile.TemporaryDirectory() as place,
        sink(reply_seconds=REPLY_SECONDS) as port,
    ):
        (Path(place) / "tone.wav").write_bytes(wav(1.0))
        _set_up(port)
        with _worker(place):
            idle, posts = _log_in_often("idle")
            _queue_recordings()
            time.sleep(SETTLED_SECONDS)
            busy, _posts = _log_in_often("busy")
            waiting = OutgoingEmail.objects.filter(state=MailState.QUEUED).count()
        assert waiting > RECORDINGS / 10, "the recordings were gone too soon"
        _forget()
    for name, times, peer, others in (
        ("idle", idle, "the login's own answer", posts),
        (f"{RECORDINGS} recordings waiting", busy, "idle", idle),
    ):
        for percent in (50, 99):
            value, other = _percentile(times, percent), _percentile(others, percent)
            words = f"login to acceptance, {name}{behind}, p{percent}"
            yield Figure(words, round(value * 1000), "ms", peer, value / other)


def _percentile(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) * percent // 100, len(values) - 1)]


def _set_up(port: int) -> None:
    AuthenticationSettings.objects.update(
        two_factor=True,
        smtp_server="127.0.0.1",
        smtp_port=port,
        smtp_security="none",
        smtp_email_address="pbx@example.com",
        smtp_connections=3,
        verification_link="https://pbx.example/PBX0/session.xml",
    )
    current_rules.forget()
    for name in (f"{what}{n}" for what in ("idle", "busy") for n in range(LOGINS)):
        if not PbxUser.objects.filter(name=name).exists():
            PbxUser.objects.create_user(name, PASSWORD, email=f"{name}@example.com")


@contextmanager
def _worker(recordings: str) -> Iterator[None]:
    """Run one as production does."""
    command = [sys.executable, "-m", "celery", "-q", "-A", "pbxsite", "worker"]
    options = ["--pool", "threads", "-c", "4", "-n", "bench@localhost", "-l", "ERROR"]
    own = {"RECORDINGS_DIR": recordings, "LOG_LEVEL": "ERROR"}
    process = subprocess.Popen(
        [*command, *options], cwd=ROOT, env=os.environ | SITE | shared() | own
    )
    try:
        limit = time.monotonic() + LIMIT_SECONDS
        while Part.WORKER in silent_parts() and time.monotonic() < limit:
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(LIMIT_SECONDS)


def _log_in_often(what: str) -> tuple[list[float], list[float]]:
    """Return the seconds from each POST to its mail's acceptance, and to its answer."""
    taken, answered = [], []
    for number in range(LOGINS):
        began_at, began = timezone.now(), time.perf_counter()
        values = {"login": f"{what}{number}", "password": PASSWORD}
        answer = Browser().post("/login/", values)
        answered.append(time.perf_counter() - began)
        assert answer["Location"] == "/login/waiting/", answer.content
        taken.append((_await_mail(values["login"]) - began_at).total_seconds())
    return taken, answered


def _await_mail(name: str) -> datetime:
    limit = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < limit:
        mail = OutgoingEmail.objects.filter(user__name=name).latest("pk")
        if mail.ended_at:
            assert mail.state == MailState.SENT, mail.words
            return mail.ended_at
        time.sleep(0.01)
    raise TimeoutError("no mail was sent")


def _queue_recordings() -> None:
    user = PbxUser.objects.get(name="idle0")
    expires_at = timezone.now() + timedelta(days=1)
    mails = OutgoingEmail.objects.bulk_create(
        OutgoingEmail(
            kind=VOICEMAIL.name,
            priority=VOICEMAIL.priority,
            user=user,
            recipient=user.email,
            expires_at=expires_at,
        )
        for _ in range(RECORDINGS)
    )
    Voicemail.objects.bulk_create(
        Voicemail(mail=mail, recording="tone.wav", content_type="audio/wav")
        for mail in mails
    )


def _forget() -> None:
    OutgoingEmail.objects.filter(kind=VOICEMAIL.name).delete()
    LoginSession.objects.all().delete()
    AuthenticationSettings.objects.update(two_factor=False)
