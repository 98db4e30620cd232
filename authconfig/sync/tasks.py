"""The synchronisation's task, which a sweep and whoever asks for a run wake."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from celery import shared_task
from django.db import connection

from authconfig.sync import schedule
from authconfig.sync.priority import give_way


@shared_task
def sync_directory() -> None:
    # The worker's own thread sends mails afterwards, and cannot be raised again.
    with ThreadPoolExecutor(1, "sync", initializer=give_way) as pool:
        pool.submit(_run_due).result()


def _run_due() -> None:
    try:
        schedule.run_due()
    finally:
        connection.close()
