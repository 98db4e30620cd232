"""Who decides what happens to a run, and notes which mails it may have cost."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from django.db import connection

from tests.harnesses.chaos.faults import (
    ALL_WORKERS,
    BEAT,
    FROZEN_REDIS,
    FROZEN_WORKER,
    LEAVING_WORKER,
    REDIS,
    WORKER,
    Fault,
)
from tests.harnesses.chaos.fleet import BEAT as BEAT_NAME
from tests.harnesses.chaos.fleet import Fleet
from tests.harnesses.chaos.outages import Outage
from tests.harnesses.chaos.stage import Event
from tests.harnesses.chaos.steps import Action, Step
from tests.harnesses.chaos.watch import Period
from tests.support.redis_servers import Redis
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail

# After it no fault waits for its step any longer: nobody may be left to take it.
FAULT_LIMIT = 30.0
# A killed worker's last statement may still be on its way through the database.
SETTLED_SECONDS = 0.3
# So long a worker may take from the server's reply to its mark.
MARK_SECONDS = 2.0
# A fault of one moment lasts until what it killed is started again.
TRACED_SECONDS = 2.0
HANDED = (Step.DATA, Step.BODY, Step.REPLIED)
GO: dict[str, Any] = {"action": Action.GO}


@dataclass
class Ledger:
    """Which mails a fault has touched after DATA began, and what was done at all."""

    kills: set[str] = field(default_factory=set)
    cuts: set[str] = field(default_factory=set)
    # In the hands of a worker while the database took no marks.
    held: set[str] = field(default_factory=set)
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
        return self.kills | self.cuts | self.held


class Director:
    """Arms a fault and carries it out: at the server's step, or right away."""

    _outage: Outage | None

    def __init__(
        self, fleet: Fleet, redis: Redis, random: Random, outages: Mapping[str, Outage]
    ) -> None:
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
        self._outages, self._outage = outages, None
        # When the content of each mail was last on its way.
        self._handed_at: dict[str, float] = {}
        self.periods: list[Period] = []
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

    def tend(self) -> None:
        """Do what is due after a fault."""
        now = time.monotonic()
        with self._lock:
            self._give_up(now)
            if self._restored_at and now >= self._restored_at:
                self._restore()
            while self._unsettled and now >= self._unsettled[0][0]:
                self._settle(self._unsettled.pop(0)[1])
            self._thaw(now)

    @property
    def holds_database(self) -> bool:
        """Nobody may ask it to write now, or it is away."""
        return self._outage is not None and self._outage.holds_database

    def _thaw(self, now: float) -> None:
        for thaws_at, worker in list(self._frozen_workers):
            if now >= thaws_at:
                self._frozen_workers.remove((thaws_at, worker))
                self._fleet.signal(worker, signal.SIGCONT)

    def _give_up(self, now: float) -> None:
        if self._armed and now > self._armed_at + FAULT_LIMIT:
            self.ledger.note(f"gave up: {self._armed.name}")
            self._armed = None

    def _restore(self) -> None:
        if self._outage:
            self._outage.end()
            self.periods[-1].ended_at = time.time()
            if self._outage.holds_database:
                connection.close()
            self._outage = None
        elif self._frozen:
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

    def _strike(self, fault: Fault) -> None:
        with self._lock:
            if fault.victim == ALL_WORKERS and not self._has_bare_claim():
                return  # it stays armed
            self._take(fault)
            if fault.victim in (REDIS, FROZEN_REDIS):
                self._stop_redis(fault)
            elif fault.victim in self._outages:
                self._begin(fault)
            elif fault.victim == BEAT:
                self._fleet.kill(BEAT_NAME)
            for worker in self._victims(fault):
                if fault.victim == LEAVING_WORKER:
                    self._fleet.signal(worker, signal.SIGTERM)
                else:
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
        is_one = fault.victim in (WORKER, LEAVING_WORKER)
        return [self._random.choice(workers)] if is_one else []

    def _begin(self, fault: Fault) -> None:
        self._outage = self._outages[fault.victim]
        if self._outage.holds_database:
            since = time.monotonic() - MARK_SECONDS
            self.ledger.held |= {a for a, at in self._handed_at.items() if at > since}
        self._outage.begin()
        self._restored_at = time.monotonic() + self._seconds(fault)

    def _stop_redis(self, fault: Fault) -> None:
        self._frozen = fault.victim == FROZEN_REDIS
        self._redis.stop(signal.SIGSTOP if self._frozen else signal.SIGKILL)
        seconds = self._seconds(fault)
        self._restored_at = time.monotonic() + seconds
        self._last(seconds)

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
        elif event["step"] in HANDED:
            self._handed_at[event["recipient"]] = time.monotonic()
            if self.holds_database:
                self.ledger.held.add(event["recipient"])

    def _answer(self, event: Event) -> dict[str, Any]:
        if event["step"] == Step.REPLIED and event["port"] in self._doomed:
            self._doomed.discard(event["port"])
            self._kill_owner(event["port"])
            return GO
        fault = self._armed
        if fault is None or fault.step is None:
            return GO
        if event["step"] == self._place_of(fault):
            self._take(fault)
            return self._carry_out(fault, event)
        lures = fault.step == Step.CONNECTED and event["step"] == Step.REPLIED
        # Connections last: without this nobody would make a new one.
        return {"action": Action.DROP} if lures else GO

    @staticmethod
    def _place_of(fault: Fault) -> Step | None:
        """A worker that shall not read the final reply is stopped before it."""
        kills_late = fault.step == Step.REPLIED and fault.victim == WORKER
        return Step.BODY if kills_late else fault.step

    def _carry_out(self, fault: Fault, event: Event) -> dict[str, Any]:
        port = event["port"]
        if fault.victim == FROZEN_WORKER:
            self._freeze(fault, port)
        elif fault.victim == WORKER and fault.step == Step.REPLIED:
            self._doom(port)
        elif fault.victim == WORKER:
            self._kill_owner(port)
        else:
            return self._act(fault, event)
        return GO

    def _act(self, fault: Fault, event: Event) -> dict[str, Any]:
        is_cut = fault.action in (Action.DROP, Action.TAKE_AND_DROP)
        if is_cut and fault.step == Step.BODY:
            self.ledger.cuts.add(event["recipient"])
        seconds = self._seconds(fault)
        self._last(seconds)
        return {"action": fault.action, "seconds": seconds}

    def _freeze(self, fault: Fault, port: int) -> None:
        owner = self._owners.get(port)
        if owner:
            seconds = self._seconds(fault)
            self._fleet.signal(owner, signal.SIGSTOP)
            now = time.monotonic()
            self._unsettled.append((now + SETTLED_SECONDS, owner))
            self._frozen_workers.append((now + seconds, owner))
            self._last(seconds)

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
        now = time.time()
        self.periods.append(Period(fault.name, now, now + TRACED_SECONDS))

    def _seconds(self, fault: Fault) -> float:
        return self._random.uniform(*fault.seconds)

    def _last(self, seconds: float) -> None:
        """The fault that has just begun ends by itself after so many seconds."""
        self.periods[-1].ended_at = time.time() + seconds
        self._done(after=seconds)

    def _done(self, after: float = 0.0) -> None:
        self.ledger.last_at = max(self.ledger.last_at, time.time() + after)
