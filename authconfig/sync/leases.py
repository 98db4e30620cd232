"""One run at a time: taken up by a guarded update, held while it is renewed."""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction

from authconfig.network import database_now
from authconfig.sync.choices import RunState
from authconfig.sync.models import SyncRun

# Longer than a directory may take for an answer, or a batch for its writing.
LEASE_TTL = timedelta(minutes=2)
# What ended a run that no directory ended: its worker did.
DIED, BROKE = "DIED", "BROKE"


class LeaseLostError(Exception):
    """Somebody has ended the run, since it said nothing for too long."""


def take(run: SyncRun) -> bool:
    """Begin the run; False while another one goes on, or if somebody else has it.

    Previews change nothing, so any number of them may go on.
    """
    end_dead_runs()
    now = database_now()
    waiting = SyncRun.objects.filter(pk=run.pk, state=RunState.WAITING)
    try:
        with transaction.atomic():
            return bool(
                waiting.update(
                    state=RunState.RUNNING, started_at=now, lease_until=now + LEASE_TTL
                )
            )
    except IntegrityError:  # one_sync_run_at_a_time
        return False


def renew(run: SyncRun, **progress: object) -> None:
    """Raise LeaseLostError if the run is over.

    In a transaction it keeps others from ending the run until that is committed.
    """
    running = SyncRun.objects.filter(pk=run.pk, state=RunState.RUNNING)
    if not running.update(lease_until=database_now() + LEASE_TTL, **progress):
        raise LeaseLostError


def end(run: SyncRun, state: RunState, **facts: object) -> bool:
    running = SyncRun.objects.filter(pk=run.pk, state=RunState.RUNNING)
    ended = running.update(
        state=state, ended_at=database_now(), lease_until=None, **facts
    )
    run.refresh_from_db()
    return ended == 1


def end_dead_runs() -> None:
    now = database_now()
    dead = SyncRun.objects.filter(state=RunState.RUNNING, lease_until__lt=now)
    dead.update(state=RunState.FAILED, ended_at=now, lease_until=None, fault=DIED)
