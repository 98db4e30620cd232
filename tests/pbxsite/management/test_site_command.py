from __future__ import annotations

from pathlib import Path

import pytest

from tests.pbxsite.test_environment import PRODUCTION, run, settings_in

COMMANDS = [
    ("authconfig", "show"),
    ("authconfig", "set", "two_factor=on"),
    ("authconfig", "test", "smtp", "anna@example.com"),
    ("pbxusers", "export"),
    ("pbxusers", "add", "anna"),
    ("queue", "--json"),
    ("rescue",),
    ("rotatekeys",),
    ("voicemailkey", "show"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_without_tables_is_one_line(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    done = run({"DATA_DIR": str(tmp_path)}, "manage.py", *command)

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "CommandError: The database lacks tables of this version."
        " Run: manage.py migrate"
    ]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_that_is_away_is_one_line(command: tuple[str, ...]) -> None:
    url = "postgres://pbx:secret@127.0.0.1:1/site"

    done = run(PRODUCTION | {"DATABASE_URL": url}, "manage.py", *command)

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("CommandError: The database cannot be reached:")
    assert "Connection refused. Check DATABASE_URL" in line
    assert "secret" not in line


def test_a_silent_database_is_not_waited_for_for_long() -> None:
    url = f"{PRODUCTION['DATABASE_URL']}?connect_timeout=2"

    known = settings_in(PRODUCTION, "DATABASES")["DATABASES"]
    named = settings_in(PRODUCTION | {"DATABASE_URL": url}, "DATABASES")["DATABASES"]

    assert known["default"]["OPTIONS"]["connect_timeout"] == 5
    assert named["default"]["OPTIONS"]["connect_timeout"] == 2
