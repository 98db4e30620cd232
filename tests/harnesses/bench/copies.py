"""A second database like the one in use, to ask both in turns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper


@contextmanager
def copied_database() -> Iterator[BaseDatabaseWrapper]:
    """Copy the database; the copy is there until the block ends."""
    connection = connections[DEFAULT_DB_ALIAS]
    connection.close()
    name = connection.settings_dict["NAME"]
    copy = connection.copy()
    copy.settings_dict["NAME"] = f"{name}_grown"
    parameters = copy.get_connection_params() | {"dbname": "postgres"}
    parameters.pop("cursor_factory")
    with psycopg.connect(**parameters, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}_grown TEMPLATE {name}")
        try:
            yield copy
        finally:
            copy.close()
            server.execute(f"DROP DATABASE {name}_grown")


@contextmanager
def named(name: str) -> Iterator[None]:
    """Use the database of that name in every thread, and in processes begun here."""
    settings = connections.settings[DEFAULT_DB_ALIAS]
    usual = settings["NAME"]
    connections.close_all()
    settings["NAME"] = name
    try:
        yield
    finally:
        connections.close_all()
        settings["NAME"] = usual
