"""Which processes run: workers report themselves, sweeps report the scheduler."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from authconfig.network import database_clock, database_now
from verification.mail.choices import Part
from verification.mail.models import Heartbeat

SCHEDULER = "scheduler"
BEAT_SECONDS = 10.0
# One beat may be missed; from then on nobody calls the process well.
LATENESS = timedelta(seconds=25)
# After so long without a beat a process counts as silent; several beats may be late.
SILENCE = timedelta(minutes=1)
# The page shows a worker that is gone for good no longer than that.
REMEMBERED = timedelta(days=1)


def beat() -> None:
    _write(SCHEDULER, Part.SCHEDULER)


def beat_worker(name: str, *, slots: int, work: str) -> None:
    _write(name, Part.WORKER, slots=slots, work=work[:500])


def beat_web(host: str) -> None:
    _write(f"web@{host}"[:255], Part.WEB)


def scheduler_silence() -> timedelta | None:
    """Return how long the scheduler has been silent; None if it speaks.

    One that has never spoken is not missed: the site has just been made.
    """
    last = Heartbeat.objects.filter(name=SCHEDULER).first()
    silence = database_now() - last.seen_at if last else timedelta()
    return silence if silence > SILENCE else None


def begin_worker(name: str, *, slots: int) -> None:
    now = database_now()
    Heartbeat.objects.filter(seen_at__lt=now - REMEMBERED).delete()
    Heartbeat.objects.filter(name=name).delete()
    beat_worker(name, slots=slots, work="")


def end_worker(name: str) -> None:
    Heartbeat.objects.filter(name=name, kind=Part.WORKER).delete()


def _write(name: str, kind: Part, **facts: object) -> None:
    report = {
        "seen_at": database_now(),
        "clock_ahead": database_clock.ahead,
        "version": settings.VERSION,
        **facts,
    }
    if not Heartbeat.objects.filter(name=name).update(**report):
        Heartbeat.objects.get_or_create(name=name, defaults={"kind": kind, **report})
