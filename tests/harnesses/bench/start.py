"""`make run` on the newest commit and on an older one, each in turn: starts and memory.

How long a second start takes until `Ready:`, what the site holds in memory once it was
idle for a while, how long the first request of each page takes beside the tenth, and
how long a command beside the running site takes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.harnesses.bench.figures import Figure
from tests.harnesses.bench.walk import Walk
from tests.harnesses.older import tree_of
from tests.support.site import NOT_FOR_SITES, free_port

ROUNDS, IDLE_SECONDS, LIMIT_SECONDS = 5, 20, 180
NAME, PASSWORD = "admin", "a long administrator's password"
COMMANDS = (("authconfig", "show"), ("queue",))


@dataclass
class Site:
    """A tree and the data of its site."""

    tree: Path
    data_dir: Path
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        kept = {n: v for n, v in os.environ.items() if n not in NOT_FOR_SITES}
        return kept | {"DATA_DIR": str(self.data_dir)}

    def command(self, *words: str) -> list[str]:
        return [str(self.tree / ".venv/bin/python"), "manage.py", *words]

    def manage(self, *words: str) -> float:
        """Return the seconds that a command takes."""
        began = time.perf_counter()
        subprocess.run(
            self.command(*words),
            cwd=self.tree,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=LIMIT_SECONDS,
        )
        return time.perf_counter() - began

    @contextmanager
    def running(self) -> Iterator[tuple[int, float]]:
        """Yield the supervisor's process and the seconds until it was ready."""
        start = {"PORT": str(self.port), "ADMIN_PASSWORD": PASSWORD}
        began = time.perf_counter()
        with subprocess.Popen(
            self.command("runsite"),
            cwd=self.tree,
            env=self.environment | start,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            is_ready = any(line.startswith("Ready:") for line in process.stdout)
            taken = time.perf_counter() - began
            assert is_ready, f"{self.tree}: the site did not start"
            try:
                yield process.pid, taken
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(LIMIT_SECONDS)

    def switch_on(self) -> None:
        link = f"verification_link={self.url}/PBX0/session.xml"
        words = ("two_factor=on", link, "--test", "admin@example.com")
        self.manage("authconfig", "set", *words)


@dataclass
class Rounds:
    """What was measured of a tree, once in each round."""

    ready: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    commands: dict[str, list[float]] = field(default_factory=dict)
    pages: dict[str, list[float]] = field(default_factory=dict)

    def measure_start(self, site: Site) -> None:
        with site.running() as (pid, taken):
            self.ready.append(taken)
            time.sleep(IDLE_SECONDS)
            self.memory.append(memory_mib(pid))
            for words in COMMANDS:
                self.commands.setdefault(" ".join(words), []).append(
                    site.manage(*words)
                )

    def measure_pages(self, site: Site) -> None:
        """Walk through the pages of a site that has just started."""
        with site.running():
            walk = Walk(site.url, site.data_dir, NAME, PASSWORD)
            walk.go(site.switch_on)
            for page, first in walk.first.items():
                self.pages.setdefault(page, []).append(first / walk.tenth[page])
            site.manage("authconfig", "set", "two_factor=off")


def memory_mib(pid: int) -> float:
    """Return what a process and its descendants hold; what they share counts once."""
    table = subprocess.check_output(["ps", "-eo", "pid=,ppid="], text=True)
    family = {pid}
    for child, parent in sorted(map(_two, table.splitlines())):
        if parent in family:
            family.add(child)
    return sum(map(_proportional_kib, family)) / 1024


def _two(line: str) -> tuple[int, int]:
    child, parent = line.split()
    return int(child), int(parent)


def _proportional_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    [found] = [line.split()[1] for line in lines if line.startswith("Pss:")]
    return int(found)


def figures() -> Iterator[Figure]:
    commit = os.environ["BENCH_BASE"]
    with (
        # Both as on a user's machine, without the packages of the tests.
        tree_of("HEAD") as this,
        tree_of(commit) as older,
        tempfile.TemporaryDirectory() as data,
    ):
        sites = [Site(this, Path(data) / "this"), Site(older, Path(data) / "older")]
        found = [Rounds(), Rounds()]
        for site in sites:
            with site.running():
                pass  # the first start makes the data
        for number in range(ROUNDS):
            # The one that begins finds a colder machine.
            for index in (0, 1) if number % 2 else (1, 0):
                found[index].measure_start(sites[index])
            found[0].measure_pages(sites[0])
    yield from _figures(found[0], found[1], f"commit {commit}")


def _figures(this: Rounds, older: Rounds, peer: str) -> Iterator[Figure]:
    yield _figure("second start until Ready:", this.ready, older.ready, "s", peer)
    yield _figure("idle memory (PSS)", this.memory, older.memory, "MiB", peer)
    for words, taken in this.commands.items():
        name = f"manage.py {words}"
        yield _figure(name, taken, older.commands[words], "s", peer)
    for page, ratios in this.pages.items():
        found = median(ratios)
        name = f"first request of {page}"
        yield Figure(name, round(found, 2), "times", "the tenth", found)


def _figure(
    name: str, this: list[float], older: list[float], unit: str, peer: str
) -> Figure:
    spread = f"{name} ({min(this):.2f} to {max(this):.2f})"
    return Figure(
        spread, round(median(this), 2), unit, peer, median(this) / median(older)
    )
