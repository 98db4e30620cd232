"""Each worker and each scheduler looks for alarms, on its own and all the time.

No task does it: the broker, the workers and the scheduler are what may fail. As long as
one of these processes lives, somebody hears of the others.
"""

from __future__ import annotations

from pbxsite.administration.alarms import calls, watch
from pbxsite.administration.findings import AlarmKind
from verification.lookouts import Lookout

LOOK_SECONDS = 15.0
# With one of these no task makes the calls.
NO_TASKS = (AlarmKind.BROKER, AlarmKind.WORKER, AlarmKind.SCHEDULER)


def look() -> None:
    found = watch.look()
    if any(each.kind in NO_TASKS for each in found):
        calls.deliver_due()


lookout = Lookout(look, LOOK_SECONDS)
