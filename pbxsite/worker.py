"""A Celery worker tells the database that it runs, and what it is doing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from celery.worker import state
from django.db import Error as AnyDatabaseError
from django.db import connection

from pbxsite.tables.older import OlderDatabaseError

logger = logging.getLogger(__name__)
over = threading.Event()


def look_at_the_database(**kwargs: Any) -> None:
    """End before the first task if an older version has made the database."""
    try:
        connection.ensure_connection()
    except OlderDatabaseError as error:
        raise SystemExit(str(error)) from error
    except AnyDatabaseError:
        # A worker that starts during an outage works as soon as that is over.
        return
    finally:
        connection.close()


def begin(sender: str, instance: Any, **kwargs: Any) -> None:
    """Begin to speak, before there is a broker: mails go out without one as well."""
    speaker = threading.Thread(
        target=_speak, args=(sender, instance.concurrency or 1), daemon=True
    )
    speaker.start()


def end(**kwargs: Any) -> None:
    """Let a worker that ends finish its mail, but take up no other one."""
    over.set()


def _speak(name: str, slots: int) -> None:
    # Celery loads this module before the models can be imported.
    heartbeat = import_module("verification.mail.operation.heartbeat")
    _say(partial(heartbeat.begin_worker, name, slots=slots))
    while not over.wait(heartbeat.BEAT_SECONDS):
        _say(partial(heartbeat.beat_worker, name, slots=slots, work=_work()))
    _say(partial(heartbeat.end_worker, name))


def _say(words: Callable[[], None]) -> None:
    try:
        words()
    except AnyDatabaseError as error:
        logger.warning("heartbeat: not written (%s)", type(error).__name__)
    finally:
        connection.close()


def _work() -> str:
    """Name the running tasks with their arguments, which are primary keys at most."""
    running = (
        f"{request.name.rpartition('.')[2]} {request.argsrepr.strip('(),')}".strip()
        for request in list(state.active_requests)
    )
    return ", ".join(sorted(running))
