"""Each worker and each scheduler looks for alarms, on its own and all the time.

No task does it: the broker, the workers and the scheduler are what may fail. As long as
one of these processes lives, somebody hears of the others.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from django.db import Error as AnyDatabaseError
from django.db import connections

from pbxsite.administration.alarms import calls, watch
from pbxsite.administration.findings import AlarmKind

logger = logging.getLogger(__name__)
LOOK_SECONDS = 15.0
# With one of these no task makes the calls.
NO_TASKS = (AlarmKind.BROKER, AlarmKind.WORKER, AlarmKind.SCHEDULER)
over = threading.Event()


def begin(**kwargs: Any) -> None:
    threading.Thread(target=_look_out, daemon=True).start()


def end(**kwargs: Any) -> None:
    over.set()


def _look_out() -> None:
    while not over.wait(LOOK_SECONDS):
        look()


def look() -> None:
    """Look once; what fails here must not end the looking."""
    try:
        found = watch.look()
        if any(each.kind in NO_TASKS for each in found):
            calls.deliver_due()
    except AnyDatabaseError as error:
        logger.warning("alarms: not looked for (%s)", type(error).__name__)
    except Exception:
        logger.exception("alarms: not looked for")
    finally:
        connections.close_all()
