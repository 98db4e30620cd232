"""Is the process alive, and is it ready to serve?"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from authconfig.network import TOLD_SECONDS, database_clock
from pbxsite.broker import SILENT, broker
from pbxsite.conf.databases import SQLITE_SECONDS
from pbxsite.tables.release import lacks_migrations, newer_migrations
from verification.mail.operation import heartbeat

# A process writes no more often than this, however often it is asked.
WRITTEN_EVERY = 10.0  # seconds
# A login that waits longer for its turn to write is refused, most likely.
WRITE_SECONDS = 2
# Larger than the page that a new table is given; it goes with the transaction.
TAKE_ROOM = """
CREATE TEMPORARY TABLE pbxsite_room ON COMMIT DROP AS
SELECT md5(n::text) AS words FROM generate_series(1, 500) AS n
"""


class LastWrite:
    """When this process last found that the database takes writes."""

    at = float("-inf")


@login_not_required
@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Say whether the database takes logins; what only delays mail is told as well."""
    try:
        fault = _database_fault()
    except DatabaseError as error:
        fault = f"the database does not answer{_own_words(error)}"
    words = fault or _remarks()
    status = 503 if fault else 200
    return HttpResponse(f"{words}\n", content_type="text/plain", status=status)


def _remarks() -> str:
    with translation.override("en"):
        remarks = [
            *_broker_remarks(),
            *_scheduler_remarks(),
            *_clock_remarks(),
            *_release_remarks(),
        ]
    return f"ok, but {'; '.join(remarks)}" if remarks else "ok"


def _broker_remarks() -> Iterator[str]:
    asked = broker()
    if not asked.is_up and asked.sentence == str(SILENT):
        yield "the broker does not answer: e-mails are late"
    elif not asked.is_up:
        yield f"e-mails are late: {asked.sentence}"


def _scheduler_remarks() -> Iterator[str]:
    silent = heartbeat.scheduler_silence()
    if silent:
        seconds = silent.total_seconds()
        yield f"the scheduler has been silent for {seconds:.0f} seconds"


def _clock_remarks() -> Iterator[str]:
    ahead = database_clock.ahead
    if abs(ahead) > TOLD_SECONDS:
        how = "slow" if ahead > 0 else "fast"
        yield f"this clock is {abs(ahead):.0f} seconds {how} by the database's"


def _release_remarks() -> Iterator[str]:
    """Tell of a release that was rolled back: its tables stay as they are."""
    if newer := newer_migrations(connection):
        yield f"the database is of a newer release, with {newer[0]}"


def _own_words(error: DatabaseError) -> str:
    """Return the server's reason, without the address that the driver tells with it."""
    _, fatal, reason = str(error).strip().rpartition("FATAL:")
    return f": {reason.strip().splitlines()[0]}" if fatal and reason.strip() else ""


def _database_fault() -> str:
    if _is_read_only():
        return "the database is read-only"
    if lacks_migrations():
        return "migrations are missing"
    return "" if _has_written_lately() else _write_fault()


def _has_written_lately() -> bool:
    return time.monotonic() - LastWrite.at < WRITTEN_EVERY


def _write_fault() -> str:
    """Write a little: a full disk, a lock or a broken page lets one read, and no more.

    The server's words are told without the place that they may name.
    """
    try:
        with _impatience():
            heartbeat.beat_web(socket.gethostname())
            _take_room()
    except DatabaseError as error:
        words = str(error).strip().partition("\n")[0].partition(' "')[0]
        return f"the database takes no writes: {words}"
    LastWrite.at = time.monotonic()
    return ""


def _take_room() -> None:
    """Ask PostgreSQL for a new file: on a full disk old pages take a write for long."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT has_database_privilege(current_database(), 'TEMP')")
            if cursor.fetchone() == (True,):
                cursor.execute(TAKE_ROOM)


@contextmanager
def _impatience() -> Iterator[None]:
    """Let no statement wait as long as a page may."""
    if connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{WRITE_SECONDS}s'")
            cursor.execute(f"SET LOCAL statement_timeout = '{WRITE_SECONDS}s'")
            yield
    else:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {WRITE_SECONDS * 1000}")
            try:
                yield
            finally:
                cursor.execute(f"PRAGMA busy_timeout = {SQLITE_SECONDS * 1000}")


def _is_read_only() -> bool:
    """Say so of a PostgreSQL that is a standby, or was told to take no writes."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        return bool(cursor.fetchone() == ("on",))
