"""Memory that copies share has no gaps that they would fill, each for itself."""

from __future__ import annotations

import subprocess
import sys

from tests.support.services import ROOT

# Gaps of each size, as imports leave them: what lies between them stays in use.
LEAVE_GAPS = """
import ctypes
from pbxsite.embedded import forks
library = ctypes.CDLL(None)
library.malloc.argtypes, library.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]
library.mallinfo2.restype = forks.MemoryState
pieces = [library.malloc(500 + number % 3000) for number in range(4000)]
for piece in pieces[::2]:
    library.free(piece)
def free():
    state = library.mallinfo2()
    return state.fordblks - state.keepcost
before, taken = free(), forks.fill_gaps()
print(before, free(), taken, library.mallinfo2().arena // 1000)
"""


def run(program: str) -> list[int]:
    done = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT)
    return [int(word) for word in done.split()]


def test_gaps_are_filled() -> None:
    before, after, taken, kilobytes = run(LEAVE_GAPS)

    assert before > 3_000_000
    assert after < before / 50
    assert taken > 2000
    # What lies between the gaps, the gaps, and little more.
    assert kilobytes < 20_000


def test_another_library_than_glibc_is_left_alone() -> None:
    program = """
import ctypes
class Other:
    pass
ctypes.CDLL = lambda _name: Other()
from pbxsite.embedded.forks import fill_gaps
print(fill_gaps())
"""
    assert run(program) == [0]
