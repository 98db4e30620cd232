"""One run: mails go out, faults come one after the other, and every mail is counted."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from django.db import connection

from tests.chaos.faults import (
    ALL_WORKERS,
    BEAT,
    FROZEN_REDIS,
    FROZEN_WORKER,
    LEAVING_WORKER,
    REDIS,
    WORKER,
    Fault,
    plan,
)
from tests.chaos.fleet import BEAT as BEAT_NAME
from tests.chaos.fleet import WORKERS, Fleet
from tests.chaos.mails import Queue, set_up
from tests.chaos.stage import Event, Stage
from tests.chaos.steps import Action, Step
from tests.chaos.tally import Tally, tally
from tests.redis_servers import Redis
from verification.choices import MailState
from verification.models import OutgoingEmail

TICK = 0.005
GAP_SECONDS = (0.2, 1.2)
# After it no fault waits for its step any longer: nobody may be left to take it.
FAULT_LIMIT = 30.0
# After the last fault: what is not over by then is lost.
END_LIMIT = 90.0
START_LIMIT = 60.0
# A run that is not over by then has found a fault of its own.
RUN_LIMIT = 600.0
# A killed worker's last statement may still be on its way through the database.
SETTLED_SECONDS = 0.3
BATCH = 20
MOST_WAITING = 60
OPEN = (MailState.QUEUED, MailState.SENDING)


@dataclass
class Ledger:
    """Which mails a fault has touched after DATA began, and what was done at all."""

    kills: set[str] = field(default_factory=set)
    cuts: set[str] = field(default_factory=set)
    faults: Counter[str] = field(default_factory=Counter)
    last_at: float = field(default_factory=time.time)
    began_at: float = field(default_factory=time.monotonic)

    def note(self, name: str) -> None:
        """Count it, and show that the run goes on."""
        self.faults[name] += 1
        sys.stdout.write(f"{time.monotonic() - self.began_at:6.1f} s  {name}\n")
        sys.stdout.flush()

    @property
    def in_doubt(self) -> set[str]:
        return self.kills | self.cuts


class Director:
    """Arms a fault and carries it out: at the server's step, or right away."""

    def __init__(self, fleet: Fleet, redis: Redis, random: Random) -> None:
        self.ledger = Ledger()
        self._fleet, self._redis, self._random = fleet, redis, random
        self._lock = threading.RLock()
        self._armed: Fault | None = None
        self._armed_at = 0.0
        # Whose each connection is, and on which one each mail was seen last.
        self._owners: dict[int, str] = {}
        self._ports: dict[str, int] = {}
        self._doomed: set[int] = set()
        self._restored_at = 0.0
        self._frozen = False
        self._unsettled: list[tuple[float, str]] = []
        self._frozen_workers: list[tuple[float, str]] = []

    def arm(self, fault: Fault) -> None:
        with self._lock:
            self._armed, self._armed_at = fault, time.monotonic()
        if fault.step is None:
            self._strike(fault)

    @property
    def is_busy(self) -> bool:
        open_ends = (self._armed, self._restored_at, self._unsettled, self._doomed)
        return any(open_ends)

    @property
    def is_done(self) -> bool:
        return not (self.is_busy or self._frozen_workers)

    # Whatever is over

    def tend(self) -> None:
        now = time.monotonic()
        with self._lock:
            self._give_up(now)
            if self._restored_at and now >= self._restored_at:
                self._restore()
            while self._unsettled and now >= self._unsettled[0][0]:
                self._settle(self._unsettled.pop(0)[1])
            for thaws_at, worker in list(self._frozen_workers):
                if now >= thaws_at:
                    self._frozen_workers.remove((thaws_at, worker))
                    self._fleet.signal(worker, signal.SIGCONT)

    def _give_up(self, now: float) -> None:
        if self._armed and now > self._armed_at + FAULT_LIMIT:
            self.ledger.note(f"gave up: {self._armed.name}")
            self._armed = None

    def _restore(self) -> None:
        if self._frozen:
            self._redis.go_on()
        else:
            self._redis.start()
        self._restored_at, self._frozen = 0.0, False
        self._done()

    def _settle(self, worker: str) -> None:
        """Find what a dead or frozen worker had begun to hand over.

        Its leases still last.
        """
        ports = {port for port, owner in self._owners.items() if owner == worker}
        seen = {a for a, port in self._ports.items() if port in ports}
        begun = OutgoingEmail.objects.filter(
            state=MailState.SENDING, data_began_at__isnull=False
        )
        self.ledger.kills |= seen & set(begun.values_list("recipient", flat=True))
        if not self._fleet.lives(worker):
            for port in ports:
                del self._owners[port]

    # At any moment

    def _strike(self, fault: Fault) -> None:
        with self._lock:
            if fault.victim == ALL_WORKERS and not self._has_bare_claim():
                return  # it stays armed
            self._take(fault)
            if fault.victim in (REDIS, FROZEN_REDIS):
                self._stop_redis(fault)
            elif fault.victim == BEAT:
                self._fleet.kill(BEAT_NAME)
            elif fault.victim == LEAVING_WORKER:
                for worker in self._victims(fault):
                    self._fleet.signal(worker, signal.SIGTERM)
            else:
                for worker in self._victims(fault):
                    self._kill(worker)
            self._done()

    def strike_if_armed(self) -> None:
        fault = self._armed
        if fault and fault.step is None:
            self._strike(fault)

    @staticmethod
    def _has_bare_claim() -> bool:
        claimed = OutgoingEmail.objects.filter(state=MailState.SENDING)
        return claimed.filter(data_began_at=None).exists()

    def _victims(self, fault: Fault) -> list[str]:
        workers = self._fleet.workers()
        if fault.victim == ALL_WORKERS or not workers:
            return workers
        return [self._random.choice(workers)]

    def _stop_redis(self, fault: Fault) -> None:
        self._frozen = fault.victim == FROZEN_REDIS
        self._redis.stop(signal.SIGSTOP if self._frozen else signal.SIGKILL)
        self._restored_at = time.monotonic() + self._seconds(fault)

    # At the server's steps

    def decide(self, event: Event) -> dict[str, Any]:
        """Answer the server; it waits, and with it the mail."""
        try:
            with self._lock:
                self._note(event)
                return self._answer(event)
        finally:
            connection.close_if_unusable_or_obsolete()

    def _note(self, event: Event) -> None:
        port = event["port"]
        if event["step"] == Step.CONNECTED:
            owner = self._fleet.owner_of(port)
            if owner:
                self._owners[port] = owner
        elif event["step"] == Step.RCPT:
            self._ports[event["recipient"]] = port

    def _answer(self, event: Event) -> dict[str, Any]:
        port, step = event["port"], event["step"]
        if step == Step.REPLIED and port in self._doomed:
            self._doomed.discard(port)
            self._kill_owner(port)
            return {"action": Action.GO}
        fault = self._armed
        if fault is None or fault.step is None:
            return {"action": Action.GO}
        if fault.step == Step.CONNECTED and step == Step.REPLIED:
            # Connections last: without this nobody would make a new one.
            return {"action": Action.DROP}
        # A worker that shall not read the final reply is stopped before it.
        early = fault.step == Step.REPLIED and fault.victim == WORKER
        if step != (Step.BODY if early else fault.step):
            return {"action": Action.GO}
        self._take(fault)
        if fault.victim == FROZEN_WORKER:
            return self._freeze(fault, port)
        if early:
            self._doom(port)
        elif fault.victim == WORKER:
            self._kill_owner(port)
        return self._act(fault, event)

    def _act(self, fault: Fault, event: Event) -> dict[str, Any]:
        is_cut = fault.action in (Action.DROP, Action.TAKE_AND_DROP)
        if is_cut and fault.step == Step.BODY:
            self.ledger.cuts.add(event["recipient"])
        seconds = self._seconds(fault)
        self._done(after=seconds)
        return {"action": fault.action, "seconds": seconds}

    def _freeze(self, fault: Fault, port: int) -> dict[str, Any]:
        owner = self._owners.get(port)
        if owner:
            seconds = self._seconds(fault)
            self._fleet.signal(owner, signal.SIGSTOP)
            now = time.monotonic()
            self._unsettled.append((now + SETTLED_SECONDS, owner))
            self._frozen_workers.append((now + seconds, owner))
            self._done(after=seconds)
        return {"action": Action.GO}

    def _doom(self, port: int) -> None:
        owner = self._owners.get(port)
        if owner:
            self._fleet.signal(owner, signal.SIGSTOP)
            self._doomed.add(port)

    def _kill_owner(self, port: int) -> None:
        owner = self._owners.get(port)
        if owner:
            self._kill(owner)

    def _kill(self, worker: str) -> None:
        self._fleet.kill(worker)
        self._doomed -= {p for p, owner in self._owners.items() if owner == worker}
        self._unsettled.append((time.monotonic() + SETTLED_SECONDS, worker))
        self._done()

    def _take(self, fault: Fault) -> None:
        self._armed = None
        self.ledger.note(fault.name)

    def _seconds(self, fault: Fault) -> float:
        return self._random.uniform(*fault.seconds)

    def _done(self, after: float = 0.0) -> None:
        self.ledger.last_at = max(self.ledger.last_at, time.time() + after)


class Run:
    def __init__(self, count: int, seed: int, directory: Path, fleet: Fleet) -> None:
        self._random = Random(seed)
        self._faults = plan(count, self._random)
        self._total = len(self._faults)
        self._directory, self._fleet = directory, fleet
        self._queue = Queue(count, Random(seed))
        self._next_at = 0.0
        self._counted_at, self._waiting = 0.0, 0

    def go(self, redis: Redis) -> tuple[Tally, Ledger]:
        self._director = Director(self._fleet, redis, self._random)
        with Stage(self._directory, self._director.decide) as stage:
            set_up(stage.port)
            self._warm_up()
            assert redis.clients() > len(WORKERS), "The workers are at another Redis."
            while self._faults or not (self._director.is_done and self._queue.is_done):
                self._tick(stage)
            self._await_end(stage)
            ledger = self._director.ledger
            result = tally(
                stage.journal,
                queued_at=self._queue.queued_at,
                last_fault_at=ledger.last_at,
                in_doubt=ledger.in_doubt,
            )
        return result, ledger

    def _warm_up(self) -> None:
        """Let the first mails go out before the first fault comes."""
        self._queue.add(BATCH // 2)
        limit = time.monotonic() + START_LIMIT
        while OutgoingEmail.objects.filter(state=MailState.SENT).count() == 0:
            self._fleet.tend()
            time.sleep(0.1)
            if time.monotonic() > limit:
                raise TimeoutError("The workers sent nothing.")

    def _tick(self, stage: Stage) -> None:
        if not stage.is_running():
            raise RuntimeError("The SMTP server is gone.")
        if time.monotonic() > self._director.ledger.began_at + RUN_LIMIT:
            raise TimeoutError("The run does not come to its end.")
        self._fleet.tend()
        self._director.tend()
        self._director.strike_if_armed()
        self._feed()
        self._arm()
        time.sleep(TICK)

    def _feed(self) -> None:
        """Queue as the faults go on, and always enough for the next one to meet."""
        now = time.monotonic()
        if now - self._counted_at > 0.2:
            open_mails = OutgoingEmail.objects.filter(state__in=OPEN)
            self._waiting, self._counted_at = open_mails.count(), now
        done = 1 - len(self._faults) / self._total if self._faults else 1.0
        wanted = self._queue.count * done - self._queue.queued
        if self._waiting < MOST_WAITING and (wanted > 0 or self._waiting == 0):
            self._queue.add(min(BATCH, max(1, int(wanted))))
            self._waiting += 1

    def _arm(self) -> None:
        now = time.monotonic()
        if self._director.is_busy:
            self._next_at = now + self._random.uniform(*GAP_SECONDS)
        elif self._faults and now >= self._next_at:
            self._director.arm(self._faults.pop())

    def _await_end(self, stage: Stage) -> None:
        last = max(self._director.ledger.last_at, *self._queue.queued_at.values())
        while time.time() < last + END_LIMIT and stage.is_running():
            self._fleet.tend()
            self._director.tend()
            if not OutgoingEmail.objects.filter(state__in=OPEN).exists():
                return
            time.sleep(0.2)


def report(result: Tally, ledger: Ledger, fleet: Fleet, seconds: float) -> None:
    write = sys.stdout.write
    for name, count in sorted(ledger.faults.items()):
        write(f"{count:>4}  {name}\n")
    for name in ("lost", "doubled", "late", "unfounded"):
        for address in getattr(result, name):
            write(f"{name}: {_row(address)}\n")
    write(
        f"{fleet.killed} processes killed; after DATA began {len(ledger.kills)} mails"
        f" were in killed or frozen workers, {len(ledger.cuts)} were cut by the server;"
        f" {seconds:.0f} s\n{result}\n"
    )


def _row(address: str) -> str:
    mail = OutgoingEmail.objects.filter(recipient=address).first()
    if mail is None:
        return f"{address}: no row"
    facts = ("kind", "state", "attempts", "doubts", "stage", "code", "words")
    return f"{address} " + " ".join(f"{n}={getattr(mail, n)}" for n in facts)
