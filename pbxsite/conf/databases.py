"""How the site speaks to SQLite, to PostgreSQL and to Redis."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kombu.utils.url import parse_url

from pbxsite.conf import pool
from pbxsite.conf.storages import take_from_others

SQLITE = "django.db.backends.sqlite3"
POSTGRESQL = "pbxsite.postgresql"
# How long a statement waits for another process's write.
SQLITE_SECONDS = 20
# Without IMMEDIATE, two writers that both read first fail at once as "locked".
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": SQLITE_SECONDS,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}
# The file, and those that SQLite lays beside it.
SQLITE_ENDS = ("", "-wal", "-shm", "-journal")
# What an address may switch: in Django's settings, and in their OPTIONS.
SWITCHES = (
    *("ATOMIC_REQUESTS", "AUTOCOMMIT"),
    *("CONN_HEALTH_CHECKS", "DISABLE_SERVER_SIDE_CURSORS"),
)
OPTION_SWITCHES = ("pool", "server_side_binding")
ON = ("1", "on", "true", "yes")
OFF = ("0", "off", "false", "no")
# What may be in front of PostgreSQL, by what it gives out to each client.
NO_POOLER = "none"
TRANSACTION_POOLER = "transaction"
POOLERS = (NO_POOLER, "session", TRANSACTION_POOLER)
# The backend's own options: how long a query may take, in seconds, where the server is
# not told of it at the start; and how long anything may, a commit among it.
STATEMENT_SECONDS = "statement_seconds"
ANSWER_SECONDS = "answer_seconds"
# How long a page may wait for a connection to PostgreSQL, in seconds: longer than it
# takes to restart.
CONNECTION_SECONDS = 5
# What an address of Redis may say of the server's certificate.
CERTIFICATE = "ssl_cert_reqs"
REDIS_SCHEMES = ("redis", "rediss", "unix")
SAME_AS_REDIS = {"valkey": "redis", "valkeys": "rediss"}
CERTIFICATE_CHECKS = ("required", "optional", "none")


def file(data_dir: Path) -> dict[str, Any]:
    return {"ENGINE": SQLITE, "NAME": data_dir / "db.sqlite3"}


def databases(
    given: dict[str, Any],
    *,
    pool_size: int,
    query_seconds: int,
    pooler: str = NO_POOLER,
) -> dict[str, Any]:
    """Return DATABASES: the one that is given, with the options that the site needs.

    `pool_size`: the most connections of a process; with 0 each request opens one.
    `query_seconds`: how long a query may take; with 0 as long as it likes.
    `pooler`: what is in front of the server, one of POOLERS.
    """
    if given["ENGINE"] == SQLITE:
        take_from_others(Path(f"{given['NAME']}{end}") for end in SQLITE_ENDS)
        return {"default": given | {"OPTIONS": SQLITE_OPTIONS}}
    _check_pooler(pooler, query_seconds)
    given = _with_switches(given)
    options = _postgresql_options(pool_size, query_seconds, pooler) | given["OPTIONS"]
    if given.get("CONN_MAX_AGE") and options.get("pool"):
        raise SystemExit(
            "DATABASE_URL: conn_max_age is for a site without a pool of its own; "
            "leave it out, or set DATABASE_POOL to 0."
        )
    ours = {
        "ENGINE": POSTGRESQL,
        # The backend looks at what the pool gives by itself.
        "CONN_HEALTH_CHECKS": not pool_size,
        # The next query of the same cursor may reach another of the pooler's sessions.
        "DISABLE_SERVER_SIDE_CURSORS": pooler == TRANSACTION_POOLER
        or given.get("DISABLE_SERVER_SIDE_CURSORS", False),
    }
    return {"default": given | ours | {"OPTIONS": options}}


def _with_switches(given: dict[str, Any]) -> dict[str, Any]:
    """Read the switches of an address: for Django each word is on, "false" too."""
    options = _switched(given.get("OPTIONS", {}), OPTION_SWITCHES)
    return _switched(given, SWITCHES) | {"OPTIONS": options}


def _switched(given: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    words = {n: v for n, v in given.items() if n in names and isinstance(v, str)}
    for name, word in words.items():
        if word.lower() not in ON + OFF:
            raise SystemExit(
                f"DATABASE_URL: {name.lower()} is “{word}”; write true or false."
            )
    return given | {name: word.lower() in ON for name, word in words.items()}


def _check_pooler(pooler: str, query_seconds: int) -> None:
    if pooler not in POOLERS:
        raise SystemExit(
            f"DATABASE_POOLER is “{pooler}”; write one of {', '.join(POOLERS)}."
        )
    if pooler == TRANSACTION_POOLER and query_seconds:
        raise SystemExit(
            "DATABASE_QUERY_TIMEOUT does not reach the server through a pooler that "
            "gives out transactions: set it to 0, and query_timeout in the pooler."
        )


def _postgresql_options(
    pool_size: int, query_seconds: int, pooler: str
) -> dict[str, Any]:
    """Return libpq's options and the pool's.

    Without them a page waits for minutes for a host that is silent, and a request that
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
        options[ANSWER_SECONDS] = query_seconds
    if query_seconds and pooler == NO_POOLER:
        options["options"] = f"-c statement_timeout={query_seconds}s"
    elif query_seconds:
        # PgBouncer refuses the parameter above; the backend says it in a query.
        options[STATEMENT_SECONDS] = query_seconds
    if pool_size:
        options["pool"] = pool.options(pool_size, timeout=CONNECTION_SECONDS)
    return options


def caches(redis_url: str) -> dict[str, Any]:
    redis = {
        "BACKEND": "verification.redis_access.RedisOrLocalCache",
        "LOCATION": redis_url,
        # Releases that pickled use version 1, and fail at what they cannot unpickle.
        "VERSION": 2,
        "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5},
    }
    return {"default": redis}


def redis_address(given: str) -> str:
    """Return REDIS_URL as every library reads it; Valkey speaks as Redis does.

    SystemExit names an address that some of them would read otherwise, or not at all.
    """
    scheme, colon, rest = given.partition(":")
    scheme = SAME_AS_REDIS.get(scheme, scheme)
    if scheme not in REDIS_SCHEMES:
        raise SystemExit(
            f"REDIS_URL begins with “{scheme}{colon}”, which this site does not speak. "
            "Write redis://, rediss:// or unix://. Where Sentinel chooses the server, "
            "write the address of a proxy that follows it."
        )
    return checked(f"{scheme}{colon}{rest}")


def checked(redis_url: str) -> str:
    """Have the server's certificate checked, unless the address says otherwise."""
    parts = urlsplit(redis_url)
    given = parse_qs(parts.query).get(CERTIFICATE, [""])[0]
    if parts.scheme != "rediss" or given in CERTIFICATE_CHECKS:
        return redis_url
    if given:
        choices = ", ".join(CERTIFICATE_CHECKS)
        raise SystemExit(f"Redis: {CERTIFICATE} is “{given}”; write one of {choices}.")
    query = "&".join(filter(None, [parts.query, f"{CERTIFICATE}=required"]))
    return parts._replace(query=query).geturl()


def broker_url(redis_url: str) -> str:
    """Return a Redis address as Celery writes it; only Unix sockets differ."""
    if not redis_url.startswith("unix://"):
        return redis_url
    path, _, query = redis_url.removeprefix("unix://").partition("?")
    number = parse_qs(query).get("db", ["0"])[0]
    return f"redis+socket://{path}?virtual_host={number}"


def broker_tls(url: str) -> dict[str, Any] | None:
    """Return what the broker's address says of TLS; Flower does not read it there."""
    if not url.startswith("rediss://"):
        return None
    found: dict[str, Any] = parse_url(url)["ssl"]
    return found
