"""What the tests need of npm's packages: exactly what a package-lock.json pins."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path


def install(folder: Path) -> None:
    """Let npm bring what the folder's package-lock.json pins, once."""
    modules, lock = folder / "node_modules", folder / "package-lock.json"
    stamp = modules / ".installed"
    with (folder / ".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
            return
        print(f"Installing the tests' {folder.name} (npm ci)")  # noqa: T201
        words = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(words, cwd=folder, check=True, timeout=300)
        stamp.write_bytes(lock.read_bytes())
