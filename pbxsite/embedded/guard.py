"""The head of a process group, which ends the group when its parent is gone."""

from __future__ import annotations

import os
import signal
import sys

if __name__ == "__main__":
    # The parent never writes here: the pipe ends when the parent does, in any way.
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)
