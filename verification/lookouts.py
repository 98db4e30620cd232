"""What a worker looks for by itself, all the time, since the broker may be away."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

from celery.signals import celeryd_after_setup, worker_shutting_down
from django.db import Error as AnyDatabaseError
from django.db import connections

logger = logging.getLogger(__name__)


class Lookout:
    """A thread that looks every `seconds`; what fails there does not end the looking.

    With `is_finished` the process waits for the look that it has begun when it ends.
    """

    def __init__(
        self, look: Callable[[], None], seconds: float, *, is_finished: bool = False
    ) -> None:
        self._look, self._seconds, self._is_daemon = look, seconds, not is_finished
        self.over = Event()
        self._thread: Thread | None = None

    def watch_in_workers(self) -> None:
        # A worker that starts while the broker is away is not "ready" until it is back.
        celeryd_after_setup.connect(self.begin)
        worker_shutting_down.connect(self.end)

    def begin(self, **kwargs: Any) -> None:
        """Begin; once is enough in a process that is a worker and a scheduler."""
        if self._thread is None:
            self._thread = Thread(target=self._go_on, daemon=self._is_daemon)
            self._thread.start()

    def end(self, **kwargs: Any) -> None:
        self.over.set()

    def _go_on(self) -> None:
        while not self.over.wait(self._seconds):
            self.look()

    def look(self) -> None:
        name = self._look.__module__
        try:
            self._look()
        except AnyDatabaseError as error:
            logger.warning("%s: not looked (%s)", name, type(error).__name__)
        except Exception:
            logger.exception("%s: not looked", name)
        finally:
            connections.close_all()
