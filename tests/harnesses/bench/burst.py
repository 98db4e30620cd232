"""A crowd that logs in at once: this tree and an older commit, each in turn.

And whether the time of a failed login tells whose name it was, while half of the hashes
have the parameters of before.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, quantiles
from typing import Any

from tests.harnesses.bench.beside.stand import Stand, environment_of
from tests.harnesses.bench.figures import Figure
from tests.harnesses.bench.usage import cores, forget_peak, memory_kib, peak_memory_kib
from tests.harnesses.bench.visitors import Door
from tests.harnesses.older import tree_of
from tests.support.services import ROOT

PASSWORD = "correct horse battery"
CROWD, ONE_BY_ONE, ROUNDS = 200, 20, 3
# Of the crowd: half know their password, a quarter does not, a quarter has no account.
RIGHT, WRONG = CROWD // 2, CROWD // 4
# Of the tries by which known and unknown names are compared, each has one half.
TRIES, BUSY = 200, 20
RIGHT_ANSWER, WRONG_ANSWER, REFUSALS = 302, 200, (429, 503)
PROXY = {"TRUSTED_PROXY_COUNT": "1"}
LIMIT_MS, LIMIT_SECONDS = 250, 600
ADD_USERS = """
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import Argon2PasswordHasher, make_password

users = get_user_model().objects
new = make_password({password!r})
old = Argon2PasswordHasher().encode({password!r}, "s" * 22)
for number in range({count}):
    name = "{prefix}" + str(number)
    user = users.create_user(name, None, email=name + "@example.com")
    users.filter(pk=user.pk).update(password=old if number % 2 < {old} else new)
"""


@dataclass(frozen=True)
class Burst:
    """What a crowd did to a site; `strange`: answers that nobody should get."""

    grown_mib: float
    health_p99: float
    strange: int
    statuses: Counter[int]


def figures() -> Iterator[Figure]:
    commit = os.environ["BENCH_BASE"]
    with tree_of(commit) as tree, tempfile.TemporaryDirectory() as place:
        new, base = (
            _site(name, root, Path(place), "burst")
            for name, root in (("new", ROOT), ("base", tree))
        )
        for site in (new, base):
            _add_users(site, "user", RIGHT + WRONG)
        peer = f"commit {commit}"
        yield from map(_told, _crowds(burst(new), burst(base), peer))
        yield _told(_rates(new, base, peer))
        yield from map(_told, _times(Path(place)))


def _told(figure: Figure) -> Figure:
    """Say it at once too: the table comes after minutes."""
    print(figure, file=sys.stderr, flush=True)  # noqa: T201
    return figure


def _site(name: str, root: Path, place: Path, prefix: str) -> Stand:
    environment = environment_of(name, place, prefix)
    # Each visitor has an address, so the site's own limits stay as they are.
    kept = {k: v for k, v in environment.items() if not k.startswith("LIMIT_")}
    site = Stand(name, root, kept | PROXY)
    site.manage("migrate", "--verbosity=0")
    return site


def _add_users(site: Stand, prefix: str, count: int, old_of_two: int = 0) -> None:
    code = ADD_USERS.format(
        password=PASSWORD, count=count, prefix=prefix, old=old_of_two
    )
    site.manage("shell", "-c", code)


def burst(site: Stand) -> Burst:
    crowd = [(f"user{number}", PASSWORD) for number in range(RIGHT)]
    crowd += [(f"user{RIGHT + number}", "not this one") for number in range(WRONG)]
    crowd += [(f"nobody{number}", PASSWORD) for number in range(CROWD - len(crowd))]
    with site.web() as (pid, port):
        _one_by_one(port)
        before = memory_kib(pid)
        forget_peak(pid)
        with _visitors("health", port) as asker:
            with _visitors("at-once", port, crowd) as visitors:
                statuses = _said(visitors)
            taken = _said(asker)
        grown = peak_memory_kib(pid) - before
    strange = sum(
        status not in (*REFUSALS, RIGHT_ANSWER if number < RIGHT else WRONG_ANSWER)
        for number, status in enumerate(statuses)
    )
    p99 = quantiles(taken, n=100)[98]
    return Burst(grown / 1024, p99, strange, Counter(statuses))


@contextmanager
def _visitors(
    task: str, port: int, visitors: list[tuple[str, str]] | None = None
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.harnesses.bench.visitors", task, str(port)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    _near, far = cores()
    os.sched_setaffinity(process.pid, {far})
    try:
        assert process.stdin
        process.stdin.write(f"{json.dumps(visitors or [])}\n")
        process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.wait(5)


def _said(process: subprocess.Popen[str]) -> list[Any]:
    """End its standard input and return what it has to say."""
    said, _errors = process.communicate(timeout=LIMIT_SECONDS)
    found: list[Any] = json.loads(said)
    return found


def _crowds(new: Burst, base: Burst, peer: str) -> Iterator[Figure]:
    name = f"{CROWD} logins at once"
    yield Figure(
        f"{name}: memory grown at most",
        round(new.grown_mib, 1),
        "MiB",
        f"{peer}: {base.grown_mib:.0f}",
        new.grown_mib / base.grown_mib,
    )
    yield Figure(
        f"{name}: /livez p99",
        round(new.health_p99, 1),
        "ms",
        f"the limit of {LIMIT_MS} ms ({peer}: {base.health_p99:.0f})",
        new.health_p99 / LIMIT_MS,
    )
    told = ", ".join(f"{status}: {n}" for status, n in sorted(new.statuses.items()))
    of_base = ", ".join(f"{s}: {n}" for s, n in sorted(base.statuses.items()))
    yield Figure(
        f"{name}: answers that nobody should get ({told})",
        new.strange,
        "",
        f"none ({peer}: {base.strange}; {of_base})",
        new.strange / CROWD,
    )


def _rates(new: Stand, base: Stand, peer: str) -> Figure:
    """Right logins one after the other; each round begins with the other site."""
    rates: dict[str, list[float]] = {new.name: [], base.name: []}
    for number in range(ROUNDS):
        for site in (new, base) if number % 2 else (base, new):
            with site.web() as (_pid, port):
                _one_by_one(port)
                rates[site.name].append(ONE_BY_ONE / _one_by_one(port))
    value, other = (median(rates[site.name]) for site in (new, base))
    name = f"{ONE_BY_ONE} right logins, one after the other"
    return Figure(name, round(value, 1), "1/s", f"{peer}: {other:.1f}", value / other)


def _one_by_one(port: int) -> float:
    """Return the seconds that the logins took."""
    door, began = Door.of(port), time.perf_counter()
    for number in range(ONE_BY_ONE):
        status = door.log_in(f"user{number}", PASSWORD)
        assert status == RIGHT_ANSWER, status
    return time.perf_counter() - began


def _times(place: Path) -> Iterator[Figure]:
    """Compare failed logins of known names and of others, idle and busy."""
    site = _site("new", ROOT, place / "times", "times")
    _add_users(site, "user", BUSY)
    _add_users(site, "spare", BUSY, old_of_two=2)
    _add_users(site, "known", TRIES // 2, old_of_two=1)
    busy = [(f"user{number}", PASSWORD) for number in range(BUSY)]
    with site.web() as (_pid, port):
        _one_by_one(port)
        yield from _compared("at rest", _tries(port))
        with _visitors("go-on", port, busy):
            yield from _compared(f"while {BUSY} log in", _tries(port))


def _compared(state: str, taken: dict[str, list[float]]) -> Iterator[Figure]:
    """Compare each half by itself too: an old hash takes several times as long."""
    known, unknown = taken["known"], taken["nobody"]
    ways: dict[str, Callable[[list[float]], float]] = {
        "mean": mean,
        "the quicker half's median": lambda times: quantiles(times, n=4)[0],
        "the slower half's median": lambda times: quantiles(times, n=4)[2],
    }
    for words, way in ways.items():
        value, other = way(unknown), way(known)
        name = f"failed login of an unknown name, half of the hashes old, {state}"
        yield Figure(
            f"{name}: {words}",
            round(value, 1),
            "ms",
            f"a known name: {other:.1f}",
            value / other,
        )


def _tries(port: int) -> dict[str, list[float]]:
    """Return the milliseconds of tries of both, in turns."""
    door = Door.of(port)
    names = [f"{kind}{n}" for n in range(TRIES // 2) for kind in ("known", "nobody")]
    random.shuffle(names)
    taken: dict[str, list[float]] = {"known": [], "nobody": []}
    for name in names:
        began = time.perf_counter()
        status = door.log_in(name, "not this one")
        elapsed = 1000 * (time.perf_counter() - began)
        # In a crowd some are told to come back: that says nothing of the name.
        assert status == WRONG_ANSWER or status in REFUSALS, status
        if status == WRONG_ANSWER:
            taken[name.rstrip("0123456789")].append(elapsed)
    return taken
