"""One run: mails go out, faults come one after the other, and every mail is counted."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random

from tests.harnesses.chaos.director import Director, Ledger
from tests.harnesses.chaos.faults import FAULTS, LONG_FAULTS, plan
from tests.harnesses.chaos.fleet import WORKERS, Fleet
from tests.harnesses.chaos.mails import Queue, add_watcher, set_up
from tests.harnesses.chaos.outages import Outage
from tests.harnesses.chaos.stage import Stage
from tests.harnesses.chaos.tally import Tally, tally
from tests.harnesses.chaos.tokens import Provider
from tests.harnesses.chaos.watch import Watch, show
from tests.support.redis_servers import Redis
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail

TICK = 0.005
GAP_SECONDS = (0.1, 0.8)
# After the last fault: what is not over by then is lost.
END_LIMIT = 90.0
START_LIMIT = 60.0
# A run that is not over by then has found a fault of its own.
RUN_LIMIT = 660.0
BATCH = 20
MOST_WAITING = 60
OPEN = (MailState.QUEUED, MailState.SENDING)


class Run:
    def __init__(
        self,
        count: int,
        seed: int,
        directory: Path,
        fleet: Fleet,
        provider: Provider | None,
        outages: Mapping[str, Outage],
    ) -> None:
        self._outages = outages
        self._provider = provider
        self._random = Random(seed)
        planned = plan(count, self._random)
        known = {*outages, *(fault.victim for fault in FAULTS + LONG_FAULTS)}
        self._faults = [fault for fault in planned if fault.victim in known]
        self._total = len(self._faults)
        self._directory, self._fleet = directory, fleet
        self._queue = Queue(count, Random(seed))
        self._next_at = 0.0
        self._counted_at, self._waiting = 0.0, 0

    def go(self, redis: Redis) -> tuple[Tally, Ledger]:
        self._director = Director(self._fleet, redis, self._random, self._outages)
        watch = Watch(f"http://127.0.0.1:{self._fleet.port}")
        watch.periods = self._director.periods
        decide, provider = self._director.decide, self._provider
        with Stage(self._directory, decide, provider) as stage:
            set_up(stage.port, provider.settings() if provider else {})
            add_watcher()
            self._warm_up()
            assert redis.clients() > len(WORKERS), "The workers are at another Redis."
            with watch:
                while self._is_under_way():
                    self._tick(stage)
                self._await_end(stage)
            ledger = self._director.ledger
            result = tally(
                stage.journal,
                queued_at=self._queue.queued_at,
                last_fault_at=ledger.last_at,
                in_doubt=ledger.in_doubt,
            )
            show(watch, stage.journal, self._queue.queued_at)
        return result, ledger

    def _is_under_way(self) -> bool:
        is_done = self._director.is_done and self._queue.is_done
        return bool(self._faults) or not is_done

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
        if self._director.holds_database:
            return
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
        f" were in killed or frozen workers, {len(ledger.cuts)} were cut by the server,"
        f" {len(ledger.held)} in hand while the database took no marks;"
        f" {seconds:.0f} s\n{result}\n"
    )


def _row(address: str) -> str:
    mail = OutgoingEmail.objects.filter(recipient=address).first()
    if mail is None:
        return f"{address}: no row"
    facts = ("kind", "state", "attempts", "doubts", "stage", "code", "words")
    return f"{address} " + " ".join(f"{n}={getattr(mail, n)}" for n in facts)
