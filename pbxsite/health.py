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
    """Say whether the database has every migration; a lost broker only delays mail."""
    try:
        fault = _database_fault()
    except DatabaseError:
        fault = "the database does not answer"
    status = 503 if fault else 200
    words = fault or ("ok" if broker().is_up else DEGRADED)
    return HttpResponse(f"{words}\n", content_type="text/plain", status=status)


def _database_fault() -> str:
    return "migrations are missing" if lacks_migrations() else ""


def lacks_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
