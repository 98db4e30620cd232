"""Empties the tables after a test with transactions of its own.

Django's `flush` truncates each table, which costs PostgreSQL a new file for each and
for each index, and makes every right anew. Here goes only what a test has written.
"""

from __future__ import annotations

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.backends.utils import CursorWrapper

# They stand for the code, and no test changes them.
KEPT = {model._meta.db_table for model in (ContentType, Permission)}


def empty_tables(*_: object) -> None:
    """Do it without foreign keys and triggers, as TRUNCATE does."""
    with connection.constraint_checks_disabled(), connection.cursor() as cursor:
        tables = set(connection.introspection.django_table_names()) - KEPT
        if connection.vendor == "postgresql":
            cursor.execute("SET session_replication_role = replica")
        for table in _with_rows(cursor, sorted(map(connection.ops.quote_name, tables))):
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608  # a model's own
        if connection.vendor == "postgresql":
            cursor.execute("RESET session_replication_role")


def _with_rows(cursor: CursorWrapper, tables: list[str]) -> list[str]:
    asked = ", ".join(f"EXISTS (SELECT 1 FROM {table})" for table in tables)  # noqa: S608  # models' own
    cursor.execute(f"SELECT {asked}")
    found = zip(tables, cursor.fetchone(), strict=True)
    return [table for table, has_rows in found if has_rows]
