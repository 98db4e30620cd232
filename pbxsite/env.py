"""The environment, read in one place: NAME, or NAME_FILE with a file that holds it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
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


RATE = re.compile(r"([1-9]\d*)/(\d*)([smhd])/user")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def user_rate(name: str, default: str) -> tuple[int, timedelta]:
    """Read a limit such as "5/10m/user": how many for each user, in how long."""
    value = str(env.str(name, default=default)).strip()
    found = RATE.fullmatch(value)
    if found is None:
        raise SystemExit(f"{name} is “{value}”; write it like {default}.")
    amount, number, unit = found.groups()
    return int(amount), timedelta(**{UNITS[unit]: int(number or 1)})


# Without IMMEDIATE, two writers that both read first fail at once as "locked".
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}


# How long a page may wait for a connection to PostgreSQL, in seconds: longer than it
# takes to restart.
CONNECTION_SECONDS = 5


def postgresql_options(
    given: dict[str, Any], *, pool_size: int, query_seconds: int
) -> dict[str, Any]:
    """Return libpq's options and the pool's; those of DATABASE_URL rank above ours.

    Without them a host that is silent is waited for for minutes, and a request that
    comes on a thread of its own opens a connection of its own.
    """
    options: dict[str, Any] = {
        "connect_timeout": CONNECTION_SECONDS,
        # Of what was sent and not acknowledged, in milliseconds.
        "tcp_user_timeout": 5000,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    if query_seconds:
        options["options"] = f"-c statement_timeout={query_seconds}s"
    if pool_size:
        options["pool"] = _pool(pool_size)
    return options | given


def _pool(size: int) -> dict[str, Any]:
    return {
        "min_size": min(size, 4),
        "max_size": size,
        "timeout": CONNECTION_SECONDS,
        # A pool that gave up tries again with the next request, not in minutes.
        "reconnect_timeout": CONNECTION_SECONDS,
        "max_idle": 60,
    }


def broker_url(redis_url: str) -> str:
    """Celery's way to write a Redis address; only Unix sockets differ."""
    if not redis_url.startswith("unix://"):
        return redis_url
    path, _, query = redis_url.removeprefix("unix://").partition("?")
    number = parse_qs(query).get("db", ["0"])[0]
    return f"redis+socket://{path}?virtual_host={number}"
