"""Faults and restarts under logins, and what became of each login."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from tests.harnesses.production.logins import Login, Stream
from tests.harnesses.production.site import ProductionSite, production_site

# Whole logins a second while parts are killed: two cores do no more beside them.
FAULT_RATE = 3.0
# In the rolling restart; the others end when they are held and their e-mail is there.
WHOLE_EVERY = 20
BEFORE_SECONDS, AFTER_SECONDS = 3.0, 9.0
BETWEEN_MACHINES_SECONDS = 3.0
# Longer than a lease and the sweep that takes back what a killed worker held.
MAIL_SECONDS = 60.0


@dataclass
class Outcome:
    """`pause` is the longest time in which no login made a step's end, in seconds."""

    name: str
    tried: int = 0
    failed: int = 0
    lost: int = 0
    unknown: int = 0
    doubled: int = 0
    pause: float = 0
    slowest: float = 0
    failures: Counter[str] = field(default_factory=Counter)

    @classmethod
    def sum(cls, outcomes: Iterable[Outcome]) -> Outcome:
        total = cls("all")
        for each in outcomes:
            total.tried += each.tried
            total.failed += each.failed
            total.lost += each.lost
            total.unknown += each.unknown
            total.doubled += each.doubled
            total.pause = max(total.pause, each.pause)
            total.slowest = max(total.slowest, each.slowest)
            total.failures += each.failures
        return total

    def line(self) -> str:
        words = (
            f"{self.name}: tried={self.tried} failed={self.failed} lost={self.lost}"
            f" unknown={self.unknown} doubled={self.doubled}"
            f" pause={self.pause:.1f}s slowest={self.slowest:.1f}s"
        )
        told = ", ".join(f"{n} of {text}" for text, n in self.failures.most_common())
        return f"{words} ({told})" if told else words


Fault = Callable[[ProductionSite], None]


def kill_web(site: ProductionSite) -> None:
    site.fleet.services["web1-1"].kill()


def kill_web_machine(site: ProductionSite) -> None:
    for service in site.fleet.named("web2-"):
        service.kill()


def kill_worker(site: ProductionSite) -> None:
    site.fleet.services["worker1"].kill()


def kill_beat(site: ProductionSite) -> None:
    for service in site.fleet.named("beat"):
        service.kill()


def restart_redis(site: ProductionSite) -> None:
    site.redis.stop()
    time.sleep(2)
    site.redis.start()


def restart_postgresql(site: ProductionSite) -> None:
    site.postgresql.stop()
    time.sleep(1)
    site.postgresql.start()


def roll(site: ProductionSite) -> None:
    """What docs/deploy.md says: machine after machine, process after process."""
    for start in ("web1-", "web2-", "worker1", "worker2", "beat"):
        for service in site.fleet.named(start):
            service.restart()
        time.sleep(BETWEEN_MACHINES_SECONDS)


FAULTS: dict[str, Fault] = {
    "a web process killed": kill_web,
    "all web processes of a machine killed": kill_web_machine,
    "a worker killed": kill_worker,
    "the schedulers killed": kill_beat,
    "Redis restarted": restart_redis,
    "PostgreSQL restarted": restart_postgresql,
}
SHORT = ("a web process killed", "a worker killed")


def production_run(
    *, rate: float, faults: Iterable[str] = tuple(FAULTS)
) -> Iterator[Outcome]:
    with production_site() as site:
        first = 0
        for name in faults:
            stream = Stream(site.road, first, FAULT_RATE)
            yield _under(site, stream, name, FAULTS[name])
            first = stream.next_number
        rolling = Stream(site.road, first, rate, whole_every=WHOLE_EVERY)
        yield _under(site, rolling, f"rolling restart at {rate:g} logins/s", roll)


def _under(site: ProductionSite, stream: Stream, name: str, fault: Fault) -> Outcome:
    with stream.running():
        time.sleep(BEFORE_SECONDS)
        fault(site)
        time.sleep(AFTER_SECONDS)
    return _judge(site, name, stream.logins)


def _judge(site: ProductionSite, name: str, logins: list[Login]) -> Outcome:
    held = [login for login in logins if login.held_at]
    missing = _without_mail(site, held)
    unknown = _unknown(site) if missing else set()
    failed = [login for login in logins if login.failure]
    taken = [login.done_at - login.began_at for login in logins if login.done_at]
    return Outcome(
        name,
        tried=len(logins),
        failed=len(failed),
        lost=sum(login.recipient not in unknown for login in missing),
        unknown=sum(login.recipient in unknown for login in missing),
        doubled=site.road.mailbox.doubled(),
        pause=_longest_pause(logins),
        slowest=max(taken, default=0),
        failures=Counter(login.failure for login in failed),
    )


def _without_mail(site: ProductionSite, held: list[Login]) -> list[Login]:
    limit = time.monotonic() + MAIL_SECONDS
    while True:
        site.road.mailbox.read()
        missing = [each for each in held if not site.road.mailbox.has(each.recipient)]
        if not missing or time.monotonic() > limit:
            return missing
        time.sleep(0.2)


def _unknown(site: ProductionSite) -> set[str]:
    """To whom mails are whose outcome nobody knows; the page offers another one."""
    code = (
        "from verification.mail.models import OutgoingEmail as M;"
        "print(*M.objects.filter(state='unknown').values_list('recipient', flat=True))"
    )
    return set(site.manage("shell", "--no-imports", "-c", code).split())


def _longest_pause(logins: list[Login]) -> float:
    moments = sorted(
        moment for each in logins for moment in (each.held_at, each.done_at) if moment
    )
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    return max(gaps, default=0)
