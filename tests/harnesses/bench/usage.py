"""What a process uses, as Linux tells it."""

from __future__ import annotations

import os
import re
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def cores() -> tuple[int, int]:
    """One for the server and another one, if there is one, for the browsers."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def cpu_seconds(pid: int) -> float:
    """Return the processor time of the process, without its children's."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # After the name come the fields from the third on: these are the 14th and 15th.
    return (int(words[11]) + int(words[12])) / TICKS


def memory_kib(pid: int) -> int:
    return _status(pid, "VmRSS")


def peak_memory_kib(pid: int) -> int:
    """Return the most that it has had since its start, or since `forget_peak`."""
    return _status(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    # proc(5), clear_refs: 5 resets the peak resident set size.
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status(pid: int, name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE)
    assert found
    return int(found[1])
