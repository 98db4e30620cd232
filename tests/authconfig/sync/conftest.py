"""Users that are read from a real OpenLDAP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import call_command

from tests.conftest import SettingsSetter
from tests.support.directory import Directory

Sync = Callable[..., dict[str, Any]]
OU = "ou=People,dc=ad,dc=example,dc=com"
NAMES = ("anna", "bert", "clara", "dora", "emil")


@pytest.fixture
def people(directory: Directory, netlogon: SettingsSetter) -> Iterator[Directory]:
    """A unit of its own, empty, as the base of the users.

    It ends empty as well: others look for people of the same names in all units.
    """
    directory.empty(OU)
    netlogon(directory_sync_base=OU)
    yield directory
    directory.empty(OU)


@pytest.fixture
def five(people: Directory) -> list[str]:
    """Five users, whose DNs are returned."""
    return [
        people.add_user(
            name, ou=OU, mail=f"{name}@example.com", telephoneNumber=f"4{at}"
        )
        for at, name in enumerate(NAMES)
    ]


@pytest.fixture
def sync(capsys: pytest.CaptureFixture[str]) -> Sync:
    """Run the command; return what it says, and its exit status as "exit"."""

    def run(*options: str) -> dict[str, Any]:
        status = 0
        try:
            call_command("directory", "sync", "--json", *options)
        except SystemExit as ended:
            status = int(ended.code or 0)
        said: dict[str, Any] = json.loads(capsys.readouterr().out)
        return {key: value for key, value in said.items() if value} | (
            {"exit": status} if status else {}
        )

    return run
