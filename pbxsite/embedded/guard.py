"""The head of a process group: when whoever started it is gone, the group ends."""

from __future__ import annotations

import os
import signal
import sys

if __name__ == "__main__":
    # Nothing is ever written here; the pipe ends with the process that holds it,
    # however that process ended.
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)
