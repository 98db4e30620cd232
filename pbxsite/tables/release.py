"""Are the tables of the database those of this release?

The names of the migrations' files tell, mostly: to import all of them takes longer than
everything else at a start.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pkgutil import iter_modules

from django.apps import apps
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

Names = set[tuple[str, str]]


def lacks_migrations() -> bool:
    if _names() <= _applied(connection):
        return False
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def newer_migrations(database: BaseDatabaseWrapper) -> list[str]:
    """Return the names of migrations of our applications that this release lacks."""
    known = _names()
    ours = {app for app, _name in known}
    unknown = {key for key in _applied(database) - known if key[0] in ours}
    # One that was replaced by others is known under their name.
    unknown -= _replaced(database) if unknown else set()
    return sorted(f"{app}.{name}" for app, name in unknown)


def _names() -> Names:
    return {
        (application.label, name)
        for application in apps.get_app_configs()
        for name in _files(f"{application.name}.migrations")
    }


def _files(package: str) -> Iterator[str]:
    """Yield them as Django's loader finds them."""
    found = find_spec(package)
    places = found.submodule_search_locations if found else None
    for file in iter_modules(places or []):
        if not file.ispkg and file.name[0] not in "_~":
            yield file.name


def _applied(database: BaseDatabaseWrapper) -> Names:
    return set(MigrationRecorder(database).applied_migrations())


def _replaced(database: BaseDatabaseWrapper) -> Names:
    replacements = MigrationLoader(database).replacements.values()
    return {key for each in replacements for key in each.replaces}
