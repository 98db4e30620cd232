"""Child processes that start and end together, and never outlive this one.

One that ends by itself is started again, unless it does so again and again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pbxsite.embedded.forks import Fork, fork

# It ends its group when its parent is gone: the parent never writes there, and the pipe
# ends when the parent does, in any way. A shell is small and starts at once.
GUARD = ["/bin/sh", "-c", "read -r line; kill -KILL 0"]
LAST_LINES = 15
# A child that ends so often within so many seconds cannot live.
MOST_ENDS, ENDS_WITHIN = 5, 120.0
FIRST_PAUSE = 0.5  # seconds, doubled with each end
# A log that is longer begins anew; the one before it is kept.
LONGEST_LOG = 10_000_000


Process = subprocess.Popen[bytes] | Fork
# Starts a process that says what it says to the file of this number.
Launch = Callable[[int], Process]


@dataclass
class Child:
    name: str
    launch: Launch
    log: Path
    patience: float
    process: Process
    ends: list[float] = field(default_factory=list)
    starts_at: float | None = None

    def note_end(self) -> bool:
        """Plan the next start; return False if it has ended too often."""
        now = time.monotonic()
        self.ends = [at for at in self.ends if now - at < ENDS_WITHIN] + [now]
        self.starts_at = now + FIRST_PAUSE * 2 ** (len(self.ends) - 1)
        return len(self.ends) < MOST_ENDS

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(self.patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_lines(self) -> list[str]:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return text.splitlines()[-LAST_LINES:]


class ChildEndedError(Exception):
    """A child ended though nobody asked it to."""

    def __init__(self, child: Child) -> None:
        code = child.process.returncode
        lines = [f"The {child.name} ended unexpectedly, exit code {code}."]
        if last := child.last_lines():
            lines += [f"The last lines of {child.log}:", *(f"  {x}" for x in last)]
        super().__init__("\n".join(lines))


class Family:
    """Children in one process group; its guard kills the group if this process dies."""

    def __init__(self, directory: Path, log_dir: Path, env: Mapping[str, str]) -> None:
        self.directory = directory
        self.log_dir = log_dir
        self.env = dict(env)
        self.children: list[Child] = []
        log_dir.mkdir(mode=0o700, exist_ok=True)
        self.guard = _guard(group=0)
        self.group = self.guard.pid

    def start(self, name: str, command: Sequence[str], patience: float) -> None:
        self._add(name, partial(self._run, command), patience)

    def fork(self, name: str, run: Callable[[], object], patience: float) -> None:
        """Start a copy of this process, which must have no thread or connection."""
        self._add(name, partial(self._fork, name, run), patience)

    def _add(self, name: str, launch: Launch, patience: float) -> None:
        log = self.log_dir / f"{name.replace(' ', '-')}.log"
        process = _launch(launch, log)
        self.children.append(Child(name, launch, log, patience, process))

    def _run(self, command: Sequence[str], output: int) -> Process:
        return subprocess.Popen(  # noqa: S603  # commands are built here
            command,
            cwd=self.directory,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=self.group,
        )

    def _fork(self, name: str, run: Callable[[], object], output: int) -> Process:
        with open(os.devnull) as nothing:  # noqa: PTH123  # not a Path at all
            return fork(name, run, (nothing.fileno(), output, output), self.group)

    def check(self) -> None:
        """Raise ChildEndedError if one has ended."""
        for child in self.children:
            if child.process.poll() is not None:
                raise ChildEndedError(child)

    def mend(self, say: Callable[[str], None]) -> None:
        """Start again what has ended; ChildEndedError tells of what cannot live."""
        if self.guard.poll() is not None:
            _let_go(self.guard)
            self.guard = _guard(self.group)
        for child in self.children:
            _cut(child.log)
            if child.process.poll() is not None:
                self._mend(child, say)

    def _mend(self, child: Child, say: Callable[[str], None]) -> None:
        if child.starts_at is None:
            if not child.note_end():
                raise ChildEndedError(child)
            code = child.process.returncode
            say(f"The {child.name} ended (exit code {code}) and is started again.")
        elif time.monotonic() >= child.starts_at:
            child.process, child.starts_at = _launch(child.launch, child.log), None

    def end(self) -> None:
        """End the last one first: it may need those before it."""
        for child in reversed(self.children):
            child.end()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.group, signal.SIGKILL)
        _let_go(self.guard)


def _launch(launch: Launch, log: Path) -> Process:
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    # Appending, it goes on at the beginning of a log that was cut.
    with log.open("ab") as output:
        return launch(output.fileno())


def _guard(group: int) -> subprocess.Popen[bytes]:
    """Start the guard, as the head of a group or as one more in it."""
    return subprocess.Popen(  # noqa: S603  # no word comes from outside
        GUARD, stdin=subprocess.PIPE, process_group=group
    )


def _let_go(guard: subprocess.Popen[bytes]) -> None:
    if guard.stdin:
        guard.stdin.close()
    guard.wait()


def _cut(log: Path) -> None:
    with contextlib.suppress(OSError):
        if log.stat().st_size > LONGEST_LOG:
            # On a full disk the copy fails, and the log begins anew all the same.
            with contextlib.suppress(OSError):
                shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)
