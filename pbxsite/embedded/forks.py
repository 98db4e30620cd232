"""Copies of this process, each of which does one thing and ends with it.

They share the memory of all that was imported before, and need not import it again.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired
from typing import NoReturn

# Nobody may end a copy with the handlers of its parent.
SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
LOOK_AGAIN_SECONDS = 0.01
LONGEST_NAME = 15  # characters, for Linux
STATE_FIELDS = (
    *("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks"),
    *("uordblks", "fordblks", "keepcost"),
)
# Bytes; a gap is filled by the largest of them that it has room for, then by the next.
GAP_SIZES = (*range(8192, 1024, -1024), *range(1024, 0, -16))
# So many pieces of a size may come from what a thread keeps for itself (seven), or from
# the end of memory, before there is no gap of that size.
MISSES = 8
# Standard input, output and errors.
Files = tuple[int, int, int]


class Fork:
    """A child without a program of its own; waited for as subprocess.Popen is."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        limit = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if limit is not None and time.monotonic() > limit:
                raise TimeoutExpired(f"process {self.pid}", timeout or 0)
            time.sleep(LOOK_AGAIN_SECONDS)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def fork(name: str, run: Callable[[], object], files: Files, group: int) -> Fork:
    """Run it in a copy that has these files as its standard ones, and no other."""
    # What is not written yet would be written by both.
    sys.stdout.flush()
    sys.stderr.flush()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        pid = os.fork()
        if not pid:
            _be(name, run, files, group)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return Fork(pid)


def succeeds(run: Callable[[], bool]) -> bool:
    """Ask a copy, so that no connection or thread of the question stays in this one."""
    files = (0, sys.stderr.fileno(), sys.stderr.fileno())
    return fork("asker", lambda: sys.exit(not run()), files, 0).wait() == 0


def _be(name: str, run: Callable[[], object], files: Files, group: int) -> NoReturn:
    code = 1
    try:
        _become(name, files, group)
        run()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)  # noqa: T201  # as Python does
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        # The parent's frames are below this one: none of them may go on here.
        os._exit(code)


def _become(name: str, files: Files, group: int) -> None:
    """Hold nothing that is the parent's: its group, handlers, files, locks, pipes."""
    os.setpgid(0, group)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    # Out of the way of one another first.
    for target, source in enumerate([os.dup(file) for file in files]):
        os.dup2(source, target)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace", closefd=False)
    with suppress(OSError):
        Path("/proc/self/comm").write_text(name[:LONGEST_NAME])


class MemoryState(ctypes.Structure):
    """What glibc says of its memory (mallinfo2(3)), in bytes.

    `fordblks` is free, `keepcost` of it at the end, behind all that is in use.
    """

    _fields_ = [(name, ctypes.c_size_t) for name in STATE_FIELDS]


def fill_gaps() -> int:
    """Fill the gaps in memory before it is copied; return how many pieces it took.

    What is freed between imports leaves small gaps, some on each of a thousand pages.
    A copy that takes one gets a page of its own: SQLite alone, reading its tables, took
    4 MiB of them. Where gaps are filled, for good, copies take new pages, one beside
    the other. Where another library than glibc has the memory, nothing is done.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        return 0
    take = library.malloc
    library.mallinfo2.restype = MemoryState
    take.argtypes, take.restype = [ctypes.c_size_t], ctypes.c_void_p

    def in_gaps() -> int:
        state = library.mallinfo2()
        return int(state.fordblks - state.keepcost)

    pieces = 0
    for size in GAP_SIZES:
        misses = 0
        while misses < MISSES:
            before = in_gaps()
            take(size)
            pieces += 1
            misses = 0 if in_gaps() < before else misses + 1
    return pieces
