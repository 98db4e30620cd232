"""When a run is due, and what a worker takes up."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from authconfig.models import current_rules
from authconfig.sync import leases, runs
from authconfig.sync.choices import RunState, Source, Trigger
from authconfig.sync.models import SyncPlace, SyncRun
from authconfig.sync.scim import carrying

# Reports of runs without changes say little, and there are many.
KEPT_RUNS = 500


def run_due() -> None:
    """Do what somebody asked for, then what is due."""
    leases.end_dead_runs()
    _begin_due()
    waiting = SyncRun.objects.filter(state=RunState.WAITING)
    # Whoever is on the command line does the work there.
    for run in waiting.exclude(trigger=Trigger.COMMAND).order_by("pk"):
        runs.work(run)
    carrying.look_again()
    forget_old()


@transaction.atomic
def _begin_due() -> None:
    """Of two schedulers one begins a run: the other waits for the row, and sees it."""
    rules = current_rules()
    if not rules.directory_sync:
        return
    SyncPlace.objects.get_or_create(source=Source.DIRECTORY)
    SyncPlace.objects.select_for_update().get(source=Source.DIRECTORY)
    since = timezone.now() - timedelta(minutes=rules.directory_sync_minutes)
    lately = SyncRun.objects.filter(source=Source.DIRECTORY, is_preview=False)
    if not lately.filter(made_at__gt=since).exists():
        runs.ask_for(Trigger.SCHEDULE)


@transaction.atomic
def forget_old() -> None:
    """Delete reports as old as what the audit log forgets, and the oldest of many."""
    over = SyncRun.objects.filter(ended_at__isnull=False)
    newest = over.order_by("-made_at").values("pk")[:KEPT_RUNS]
    keeping = list(newest.values_list("pk", flat=True))
    old = over.exclude(pk__in=keeping)
    if settings.AUDIT_RETENTION_TTL:
        since = timezone.now() - settings.AUDIT_RETENTION_TTL
        old = old | over.filter(made_at__lt=since)
    old.delete()
