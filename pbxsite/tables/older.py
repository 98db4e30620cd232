"""The refusal of a database that an older version of the site has made.

Its tables have other names, so the migrations of today would make a second, empty site
beside them. Whatever process connects first looks, before it reads or writes anything.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

OLD_TABLE, OLD_APPLICATION = "authconfig_pbxuser", "verification"
MIGRATIONS = "django_migrations"
STEPS = """\
This database was made by an older version of the site. Nothing in it was changed.
Take its users and settings along by hand:

1. With the older version (commit 2fc21a3 is its last), on this database:
     manage.py pbxusers export > users.csv
     manage.py authconfig show > settings.txt
2. With this version, on a new DATA_DIR (or, with DATABASE_URL, on an empty database):
     make run (or, with DATABASE_URL, manage.py migrate)
3. With this version, on the same DATA_DIR or DATABASE_URL:
     manage.py pbxusers import users.csv
     manage.py authconfig set KEY=VALUE ... (from settings.txt; enter passwords anew)

Not taken over: e-mails, sessions, second factors, PBX passwords, administrators'
rights, client applications and the audit log. docs/upgrading.md tells more."""


class OlderDatabaseError(CommandError):
    def __init__(self) -> None:
        super().__init__(STEPS)


def refuse_older(
    sender: object, connection: BaseDatabaseWrapper, **kwargs: Any
) -> None:
    if connection.alias != DEFAULT_DB_ALIAS:
        return
    if _is_older(connection):
        # The next query would use a connection that stays open, without this look.
        connection.close()
        raise OlderDatabaseError
    connection_created.disconnect(refuse_older)


def _is_older(connection: BaseDatabaseWrapper) -> bool:
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        if OLD_TABLE in tables:
            return True
        if MIGRATIONS not in tables:
            return False
        cursor.execute(
            "SELECT 1 FROM django_migrations WHERE app = %s", [OLD_APPLICATION]
        )
        return cursor.fetchone() is not None
