"""The base of the commands that read or change the site's data."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from pbxsite.health import lacks_migrations


class SiteCommand(BaseCommand):
    """Tells in one line, without traceback, of a database that is away or empty."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(_fault(error)) from error


def _fault(error: Exception) -> str:
    try:
        pending = lacks_migrations()
    except (DatabaseError, InterfaceError) as away:
        return (
            f"The database cannot be reached: {_words(away)}."
            " Check DATABASE_URL (embedded: DATA_DIR) and whether it runs."
        )
    if pending:
        return "The database lacks tables of this version. Run: manage.py migrate"
    return f"The database refused: {_words(error)}."


def _words(error: Exception) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0].strip().rstrip(".")
