"""Is the process alive, and is it ready to serve?"""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from authconfig.network import TOLD_SECONDS, database_clock
from pbxsite.broker import SILENT, broker
from pbxsite.tables.release import lacks_migrations, newer_migrations
from pbxsite.tables.writes import write_fault
from verification.mail.operation import heartbeat


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
    words = write_fault()
    return f"the database takes no writes: {words}" if words else ""


def _is_read_only() -> bool:
    """Say so of a PostgreSQL that is a standby, or was told to take no writes."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        return bool(cursor.fetchone() == ("on",))
