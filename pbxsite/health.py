"""Is the process alive, and is it ready to serve?"""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from pbxsite.broker import broker

DEGRADED = "ok, but the broker does not answer: e-mails are late"


@login_not_required
@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Say whether the database takes logins; a lost broker only delays mail."""
    try:
        fault = _database_fault()
    except DatabaseError as error:
        fault = f"the database does not answer{_own_words(error)}"
    status = 503 if fault else 200
    words = fault or ("ok" if broker().is_up else DEGRADED)
    return HttpResponse(f"{words}\n", content_type="text/plain", status=status)


def _own_words(error: DatabaseError) -> str:
    """Return the server's reason, without the address that the driver tells with it."""
    _, fatal, reason = str(error).strip().rpartition("FATAL:")
    return f": {reason.strip().splitlines()[0]}" if fatal and reason.strip() else ""


def _database_fault() -> str:
    if _is_read_only():
        return "the database is read-only"
    return "migrations are missing" if lacks_migrations() else ""


def _is_read_only() -> bool:
    """Say so of a PostgreSQL that is a standby, or was told to take no writes."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        return bool(cursor.fetchone() == ("on",))


def lacks_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
