"""The synchronisation's task, which a sweep and whoever asks for a run wake."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from celery import shared_task
from django.db import connection

from authconfig.sync import schedule

NICENESS = 10


@shared_task
def sync_directory() -> None:
    # The worker's own thread sends mails afterwards, and cannot be raised again.
    with ThreadPoolExecutor(1, "sync", initializer=give_way) as pool:
        pool.submit(_run_due).result()


def give_way() -> None:
    """Let logins come first: on Linux each thread has a priority of its own."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _run_due() -> None:
    try:
        schedule.run_due()
    finally:
        connection.close()
