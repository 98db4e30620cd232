"""A process of many browsers that wait (browsers.py), and what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Timer

from tests.harnesses.bench.usage import cores
from tests.support.services import ROOT

SLOWEST_SECONDS = 300


@contextmanager
def waiting_browsers(
    words: Iterable[str], cookies: dict[int, str]
) -> Iterator[subprocess.Popen[str]]:
    """Let a browser wait with each cookie, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.harnesses.bench.browsers", *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    _near, far = cores()
    os.sched_setaffinity(process.pid, {far})
    try:
        lines = [f"{number} {cookie}\n" for number, cookie in cookies.items()]
        assert process.stdin
        process.stdin.write("".join([*lines, "\n"]))
        process.stdin.flush()
        assert _read_line(process) == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait(5)


def next_told(process: subprocess.Popen[str]) -> tuple[int, float]:
    """Return the number of the next browser that is told of a decision, and when."""
    number, at = _read_line(process).split()
    return int(number), float(at)


def _read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    watchdog = Timer(SLOWEST_SECONDS, process.kill)
    watchdog.start()
    line = process.stdout.readline()
    watchdog.cancel()
    if not line:
        raise RuntimeError("the waiting browsers ended")
    return line
