"""The environment, read in one place: NAME, or NAME_FILE with a file that holds it."""

from __future__ import annotations

from urllib.parse import parse_qs

import environ

env = environ.FileAwareEnv()


def required(name: str) -> str:
    """Return the variable; a process that misses it ends with its name alone."""
    value = str(env.str(name, default="")).strip()
    if not value:
        raise SystemExit(
            f"Set the environment variable {name}, or {name}_FILE with a file's path."
        )
    return value


def secret(name: str, default: str) -> str:
    """Read an optional secret; the line end that editors leave in files is dropped."""
    return str(env.str(name, default=default)).strip()


def words(text: str) -> list[str]:
    """Split at commas; the spaces and line ends that people leave are dropped."""
    return [word.strip() for word in text.split(",") if word.strip()]


# Without IMMEDIATE, two writers that both read first fail at once as "locked".
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}


def broker_url(redis_url: str) -> str:
    """Celery's way to write a Redis address; only Unix sockets differ."""
    if not redis_url.startswith("unix://"):
        return redis_url
    path, _, query = redis_url.removeprefix("unix://").partition("?")
    number = parse_qs(query).get("db", ["0"])[0]
    return f"redis+socket://{path}?virtual_host={number}"
