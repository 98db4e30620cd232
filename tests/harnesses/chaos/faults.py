"""What is done to a run, when, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tests.harnesses.chaos.steps import Action, Step


@dataclass(frozen=True)
class Fault:
    """`step` is where the server waits for it; None: at any moment.

    `victim` is whom a signal meets, `action` what the server does instead of its best.
    """

    name: str
    step: Step | None = None
    action: Action = Action.GO
    victim: str = ""
    seconds: tuple[float, float] = (0.0, 0.0)


WORKER, ALL_WORKERS, LEAVING_WORKER, FROZEN_WORKER, BEAT, REDIS, FROZEN_REDIS = (
    "worker",
    "all workers",
    "leaving worker",
    "frozen worker",
    "beat",
    "redis",
    "frozen redis",
)
LOCKED_DATABASE, FULL_DISK, REFUSING_REDIS, DEMOTED_REDIS, FAST_CLOCK, SLOW_CLOCK = (
    "locked database",
    "full disk",
    "refusing redis",
    "demoted redis",
    "fast clock",
    "slow clock",
)
FAULTS = (
    Fault("kill the worker when it has connected", Step.CONNECTED, victim=WORKER),
    Fault("kill the worker before DATA", Step.RCPT, victim=WORKER),
    Fault("kill the worker at DATA", Step.DATA, victim=WORKER),
    Fault("kill the worker after DATA", Step.BODY, victim=WORKER),
    # It is stopped before the reply goes out, so that it surely has not read it.
    Fault("kill the worker after the final reply", Step.REPLIED, victim=WORKER),
    Fault("kill the workers with a claim and no connection", victim=ALL_WORKERS),
    Fault("kill a worker at random", victim=WORKER),
    Fault("ask a worker to end", victim=LEAVING_WORKER),
    Fault("kill the scheduler", victim=BEAT),
    Fault("kill Redis and start it again", victim=REDIS, seconds=(1, 4)),
    Fault("freeze Redis", victim=FROZEN_REDIS, seconds=(1, 4)),
    Fault("refuse the connection", Step.CONNECTED, Action.REFUSE),
    Fault("refuse the sender", Step.MAIL, Action.REFUSE),
    Fault("refuse the recipient", Step.RCPT, Action.REFUSE),
    Fault("refuse DATA", Step.DATA, Action.REFUSE),
    Fault("refuse the mail", Step.BODY, Action.REFUSE),
    Fault("hang at the greeting", Step.CONNECTED, seconds=(1, 5)),
    Fault("hang before the final reply", Step.BODY, seconds=(1, 5)),
    Fault("drop the connection at MAIL", Step.MAIL, Action.DROP),
    Fault("drop the connection at DATA", Step.DATA, Action.DROP),
    Fault("drop before the final reply, not taken", Step.BODY, Action.DROP),
    Fault("drop before the final reply, taken", Step.BODY, Action.TAKE_AND_DROP),
    Fault("drop after the final reply", Step.REPLIED, Action.DROP),
)
# What takes longer than a lease, or than a worker waits for a reply.
LONG_FAULTS = (
    Fault("hang for longer than a worker waits", Step.MAIL, seconds=(35, 40)),
    # Once it goes on, its mails are somebody else's.
    Fault(
        "freeze the worker before DATA",
        Step.RCPT,
        victim=FROZEN_WORKER,
        seconds=(35, 40),
    ),
    Fault(
        "freeze the worker after DATA",
        Step.BODY,
        victim=FROZEN_WORKER,
        seconds=(35, 40),
    ),
)
# What ends by itself after a while, and is watched from outside.
OUTAGES = (
    Fault("lock the database", victim=LOCKED_DATABASE, seconds=(60, 62)),
    Fault("fill the database's disk", victim=FULL_DISK, seconds=(15, 20)),
    Fault("have Redis refuse writes", victim=REFUSING_REDIS, seconds=(15, 20)),
    Fault("make Redis a replica", victim=DEMOTED_REDIS, seconds=(15, 20)),
    Fault("give a worker a fast clock", victim=FAST_CLOCK, seconds=(25, 30)),
    Fault("give a worker a slow clock", victim=SLOW_CLOCK, seconds=(25, 30)),
)
# What a small run is left with: the guarantee's own cases.
SMALL = (1, 3, 4, 5, 9, 12, 15, 18, 20, 21, 22)


def plan(mails: int, random: Random) -> list[Fault]:
    """Return one fault for twenty mails, each kind about as often as any other."""
    if mails < 200:
        chosen = [FAULTS[number] for number in SMALL]
        random.shuffle(chosen)
        # The last one comes first: kills, so that leases run out during the others.
        return sorted(chosen, key=lambda fault: bool(fault.victim))
    planned = [*LONG_FAULTS, *OUTAGES, *FAULTS]
    while len(planned) < mails // 20:
        planned += random.sample(FAULTS, min(len(FAULTS), mails // 20 - len(planned)))
    random.shuffle(planned)
    return planned
