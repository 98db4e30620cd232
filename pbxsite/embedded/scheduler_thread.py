"""The scheduler of the embedded mode: a thread of its only worker."""

from __future__ import annotations

import logging
from threading import Event, Thread
from typing import Any

from celery import bootsteps
from celery.beat import Service

from pbxsite.celery import app

logger = logging.getLogger(__name__)
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 15.0  # seconds


class SchedulerThread(bootsteps.StartStopStep):
    """Schedules tasks, and begins again when a full disk or the like has ended it."""

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._over = Event()
        self._service: Service | None = None
        self._file = worker.schedule_filename

    def start(self, worker: Any) -> None:
        Thread(target=self._go_on, daemon=True).start()

    def stop(self, worker: Any) -> None:
        self._over.set()
        if self._service:
            self._service.stop(wait=False)

    def _go_on(self) -> None:
        pause = FIRST_PAUSE
        while not self._over.is_set():
            try:
                self._service = Service(app, schedule_filename=self._file)
                self._service.start()
            except Exception as error:
                logger.warning("scheduler: begins again (%s)", type(error).__name__)
            self._over.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


app.steps["worker"].add(SchedulerThread)
