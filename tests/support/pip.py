"""What the tests need of Python packages beside the site's own, in a place apart."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path


def install(folder: Path) -> Path:
    """Install what the folder's requirements.txt pins, once; return its Python."""
    place, pins = folder / ".venv", (folder / "requirements.txt").read_bytes()
    stamp, python = place / ".installed", place / "bin" / "python"
    with (folder / ".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_bytes() == pins:
            return python
        print(f"Installing the tests' {folder.name} (pip)")  # noqa: T201
        words = [sys.executable, "-m", "venv", "--clear", place]
        subprocess.run(words, check=True, timeout=120)
        words = [python, "-m", "pip", "install", "-q", "--require-hashes"]
        words += ["--only-binary", ":all:", "-r", folder / "requirements.txt"]
        subprocess.run(words, check=True, timeout=300)
        stamp.write_bytes(pins)
    return python
