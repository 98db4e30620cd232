"""Whether the database takes writes: on a full disk, or locked, it lets one read."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection, transaction

from pbxsite.conf.databases import SQLITE_SECONDS
from pbxsite.postgresql.patience import patience
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


def write_fault() -> str:
    """Write a little, unless this process has lately; return why that fails, or "".

    The server's words are told without the place that they may name.
    """
    if time.monotonic() - LastWrite.at < WRITTEN_EVERY:
        return ""
    begun = time.monotonic()
    try:
        with _impatience():
            heartbeat.beat_web(socket.gethostname())
            _take_room()
    except DatabaseError as error:
        return str(error).strip().partition("\n")[0].partition(' "')[0]
    ended = time.monotonic()
    # A commit that waits for a standby is no error, and nobody's login waits so long.
    if ended - begun > WRITE_SECONDS:
        return f"a commit takes longer than {WRITE_SECONDS} seconds"
    LastWrite.at = ended
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
        connection.ensure_connection()
        limit = patience.within(connection.connection, WRITE_SECONDS)
        with limit, transaction.atomic(), connection.cursor() as cursor:
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
