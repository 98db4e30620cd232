"""The worker processes and the scheduler, as production runs them."""

from __future__ import annotations

import shlex
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from pbxsite.embedded.processes import web_server
from pbxsite.embedded.supervisor import Child, Family
from tests.support.services import ROOT
from tests.support.site import free_port

WORKERS = ("worker 1", "worker 2")
BEAT, WEB = "beat", "web"
WORKER_UNIT, BEAT_UNIT = "pbx-worker.service", "pbx-beat.service"
WEB_UNIT = "pbx-web@.service"
# What the units name that is elsewhere here.
PLACES = {
    "python": "/opt/pbx/current/.venv/bin/python",
    "host": "%H",
    "home": "/var/lib/pbx",
}
# Read by the settings of a run's processes.
CLOCK_VARIABLE = "CHAOS_CLOCK_AHEAD"
# As the service manager waits before it starts one again.
RESTART_SECONDS = (0.5, 2.0)


@dataclass
class Member:
    """One process of the fleet, and when its successor starts after it died."""

    name: str
    command: list[str]
    child: Child | None = None
    starts_at: float = 0.0
    starts: int = 0
    # How many seconds its clock is ahead of the machine's.
    clock_ahead: int = 0

    @property
    def pid(self) -> int | None:
        alive = self.child and self.child.process.poll() is None
        return self.child.process.pid if self.child and alive else None


@dataclass
class Fleet:
    directory: Path
    environment: Mapping[str, str]
    random: Random
    members: dict[str, Member] = field(default_factory=dict)
    killed: int = 0

    def __post_init__(self) -> None:
        logs = self.directory / "log"
        self.family = Family(ROOT, logs, self.environment)
        for name in WORKERS:
            host = name.replace(" ", "-")
            command = _command(WORKER_UNIT, python=sys.executable, host=host)
            self.members[name] = Member(name, command)
        home = str(self.directory)
        command = _command(BEAT_UNIT, python=sys.executable, home=home)
        self.members[BEAT] = Member(BEAT, command)
        self.port = free_port()
        limit = _variable(WEB_UNIT, "DATABASE_QUERY_TIMEOUT")
        web = ["env", limit, *web_server("127.0.0.1", self.port)]
        self.members[WEB] = Member(WEB, web)

    def tend(self) -> None:
        """Start what is not there, a moment after it died."""
        now = time.monotonic()
        for member in self.members.values():
            if member.pid:
                continue
            if member.child and not member.starts_at:
                member.starts_at = now + self.random.uniform(*RESTART_SECONDS)
            elif now >= member.starts_at:
                self._start(member)

    def _start(self, member: Member) -> None:
        # A log of its own: who was killed cannot tell any other way.
        member.starts += 1
        clock = ["env", f"{CLOCK_VARIABLE}={member.clock_ahead}"]
        command = [*clock, *member.command] if member.clock_ahead else member.command
        self.family.start(f"{member.name} {member.starts}", command, patience=5)
        member.child, member.starts_at = self.family.children[-1], 0.0

    def workers(self) -> list[str]:
        return [name for name in WORKERS if self.members[name].pid]

    @property
    def worker_names(self) -> tuple[str, ...]:
        return WORKERS

    def start_anew(self, name: str, *, clock_ahead: int) -> None:
        """Ask it to end; the next one has this clock."""
        self.members[name].clock_ahead = clock_ahead
        self.signal(name, signal.SIGTERM)

    def lives(self, name: str) -> bool:
        return self.members[name].pid is not None

    def signal(self, name: str, number: signal.Signals) -> None:
        member = self.members[name]
        if member.pid and member.child:
            member.child.process.send_signal(number)

    def kill(self, name: str) -> None:
        child = self.members[name].child
        if child and self.members[name].pid:
            child.process.kill()
            child.process.wait()
            self.killed += 1

    def owner_of(self, port: int) -> str | None:
        """Return the worker whose end of a connection has this port."""
        for name in self.workers():
            if port in _ports(self.members[name].pid):
                return name
        return None

    def end(self) -> None:
        self.family.end()


def _ports(pid: int | None) -> set[int]:
    """Return this end's ports of the process's connections, as Linux tells them."""
    process = Path(f"/proc/{pid}")
    try:
        files = {_target(handle) for handle in (process / "fd").iterdir()}
        lines = (process / "net/tcp").read_text().splitlines()[1:]
    except OSError:  # it is gone
        return set()
    rows = [line.split() for line in lines]
    # The second word is the address in hexadecimal, the tenth names the socket.
    return {int(r[1].split(":")[1], 16) for r in rows if f"socket:[{r[9]}]" in files}


def _target(handle: Path) -> str:
    try:
        return str(handle.readlink())
    except OSError:  # closed meanwhile
        return ""


def _variable(unit: str, name: str) -> str:
    """Return the assignment of a variable that the unit makes itself."""
    text = (ROOT / "deploy/systemd" / unit).read_text()
    [line] = [
        each for each in text.splitlines() if each.startswith(f"Environment={name}=")
    ]
    return line.removeprefix("Environment=")


def _command(unit: str, **paths: str) -> list[str]:
    """Return what the service manager runs, with this machine's paths in it."""
    text = (ROOT / "deploy/systemd" / unit).read_text().replace("\\\n", " ")
    [line] = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    for written, here in paths.items():
        assert PLACES[written] in line, f"{unit}: {PLACES[written]}"
        line = line.replace(PLACES[written], here)
    return shlex.split(line.removeprefix("ExecStart="))
