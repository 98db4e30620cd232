"""Client applications that others wrote, with their defaults, as processes.

Those in Python run in an environment of their own, whose packages are of no use to the
site; passport-openidconnect runs on Node.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.npm import install

HERE = Path(__file__).parent / "other_clients"
START_LIMIT_SECONDS = 60


def make_environment(folder: Path) -> Path:
    """Install the pinned packages; return their Python."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    python = folder / "bin" / "python"
    pip = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    wanted = ["-r", HERE / "requirements.txt"]
    subprocess.run([*pip, *wanted], check=True, timeout=600)
    return python


def passport() -> list[str]:
    install(HERE / "passport")
    return ["node", str(HERE / "passport" / "server.js")]


@contextmanager
def running(
    command: list[str], port: int, folder: Path, **variables: str
) -> Iterator[Path]:
    """Run it until the block ends; yield what it wrote."""
    environment = os.environ | {"PORT": str(port), "FOLDER": str(folder)} | variables
    # The site's own settings are none of theirs.
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    log = folder / "client.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        _await(process, port, log)
        yield log
    finally:
        process.terminate()
        process.wait(10)


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    limit = time.monotonic() + START_LIMIT_SECONDS
    while time.monotonic() < limit and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the client did not start: {log.read_text()[-2000:]}")
