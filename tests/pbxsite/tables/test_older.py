from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings

from pbxsite.tables.older import STEPS
from tests.pbxsite.test_environment import run
from tests.support.services import SITE
from tests.support.site import free_port

TABLE = "CREATE TABLE authconfig_pbxuser (id integer PRIMARY KEY, name text)"
USER = "INSERT INTO authconfig_pbxuser (id, name) VALUES (1, 'anna')"
MIGRATIONS = "CREATE TABLE django_migrations (id integer, app text, name text)"
APPLIED = "INSERT INTO django_migrations VALUES (1, '{}', '0001_initial')"
OLDER = {
    "its users": [TABLE, USER],
    "its migrations": [MIGRATIONS, APPLIED.format("verification")],
}
pytestmark = pytest.mark.database
Maker = Callable[[list[str]], "Database"]


@dataclass(frozen=True)
class Database:
    environment: dict[str, str]
    tables: Callable[[], set[str]]


def sqlite_database(directory: Path, statements: list[str]) -> Database:
    path = directory / "db.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()

    def tables() -> set[str]:
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        with closing(sqlite3.connect(path)) as connection:
            return {name for (name,) in connection.execute(query)}

    return Database({"DATA_DIR": str(directory), "PORT": str(free_port())}, tables)


def connected(name: str) -> psycopg.Connection[tuple[str]]:
    """Connect to a database of the tests' own server."""
    server = settings.DATABASES["default"]
    return psycopg.connect(
        host=server["HOST"], user=server["USER"], dbname=name, autocommit=True
    )


def postgresql_database(name: str, statements: list[str]) -> Database:
    def tables() -> set[str]:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        with connected(name) as connection:
            return {name for (name,) in connection.execute(query)}

    with connected(name) as connection:
        for statement in statements:
            connection.execute(statement)
    url = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{name}"
    redis = {"REDIS_URL": os.environ["REDIS_URL"]}
    return Database(SITE | redis | {"DATABASE_URL": url}, tables)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Maker]:
    """Make a database of these statements, of the kind that the tests run on."""
    if settings.EMBEDDED:
        yield lambda statements: sqlite_database(tmp_path, statements)
        return
    name = f"older_{uuid4().hex}"
    with connected("postgres") as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield lambda statements: postgresql_database(name, statements)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("trace", OLDER)
def test_migrate_refuses_an_older_database_with_the_steps(
    make: Maker, trace: str
) -> None:
    database = make(OLDER[trace])
    before = database.tables()

    done = run(database.environment, "manage.py", "migrate")

    assert done.returncode == 1
    assert (done.stdout, done.stderr) == ("", f"OlderDatabaseError: {STEPS}\n")
    assert database.tables() == before


@pytest.mark.long
def test_the_sites_commands_refuse_an_older_database(make: Maker) -> None:
    database = make(OLDER["its users"])

    done = run(database.environment, "manage.py", "authconfig", "show")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"OlderDatabaseError: {STEPS}\n"


@pytest.mark.skipif(not settings.EMBEDDED, reason="the embedded mode has its own")
def test_the_embedded_mode_refuses_an_older_database(make: Maker) -> None:
    database = make(OLDER["its users"])

    done = run(database.environment, "manage.py", "runsite")

    assert done.returncode == 1
    assert done.stderr == f"OlderDatabaseError: {STEPS}\n"
    assert database.tables() == {"authconfig_pbxuser"}


@pytest.mark.long
def test_a_worker_refuses_an_older_database(make: Maker) -> None:
    database = make(OLDER["its users"])

    done = run(database.environment, "-m", "celery", "-q", "-A", "pbxsite", "worker")

    assert done.returncode == 1
    assert done.stderr.endswith(f"{STEPS}\n")
    assert "Traceback" not in done.stderr
    assert database.tables() == {"authconfig_pbxuser"}


def test_a_web_process_refuses_an_older_database(make: Maker) -> None:
    database = make(OLDER["its users"])
    server = ["uvicorn", "pbxsite.asgi:application", "--port", str(free_port())]

    done = run(database.environment | {"LOG_FORMAT": "text"}, "-m", *server)

    assert done.returncode != 0
    assert STEPS in done.stderr
    assert "Traceback" not in done.stderr
    assert database.tables() == {"authconfig_pbxuser"}
