"""Child processes that start, answer and end together, and never outlive this one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

GUARD = Path(__file__).with_name("guard.py")
LAST_LINES = 15


@dataclass
class Child:
    name: str
    process: subprocess.Popen[bytes]
    log: Path
    patience: float

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
        self.guard = subprocess.Popen(  # noqa: S603  # our own file
            [sys.executable, "-I", "-S", str(GUARD)],
            stdin=subprocess.PIPE,
            process_group=0,
        )

    def start(self, name: str, command: Sequence[str], patience: float) -> None:
        log = self.log_dir / f"{name.replace(' ', '-')}.log"
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603  # commands are built here
                command,
                cwd=self.directory,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=self.guard.pid,
            )
        self.children.append(Child(name, process, log, patience))

    def check(self) -> None:
        for child in self.children:
            if child.process.poll() is not None:
                raise ChildEndedError(child)
        if self.guard.poll() is not None:
            guard = Child("guard", self.guard, self.log_dir / "guard.log", 0)
            raise ChildEndedError(guard)

    def end(self) -> None:
        for child in self.children:
            child.end()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.guard.pid, signal.SIGKILL)
        self.guard.wait()
