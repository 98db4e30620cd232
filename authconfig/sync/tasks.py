"""The synchronisation's task, which a sweep and whoever asks for a run wake."""

from __future__ import annotations

from celery import shared_task

from authconfig.sync import schedule


@shared_task
def sync_directory() -> None:
    schedule.run_due()
