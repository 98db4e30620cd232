from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from django.core.management import call_command

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
# One process runs them all, each as manage.py does, and tells how each ended.
RUN_ALL = """
import contextlib, io, json, sys
from django.core.management import execute_from_command_line
told = []
for command in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as errors:
        try:
            execute_from_command_line(["manage.py", *command])
        except SystemExit as ended:
            told.append([ended.code, errors.getvalue()])
print(json.dumps(told))
"""


def run_all(environment: Mapping[str, str]) -> list[tuple[int, str]]:
    """Return each command's exit status, and its lines of error."""
    no_pool = {"DATABASE_POOL": "0"}
    done = run(no_pool | dict(environment), "-c", RUN_ALL, json.dumps(COMMANDS))
    assert done.returncode == 0, done.stderr
    told = [(status, lines) for status, lines in json.loads(done.stdout)]
    assert len(told) == len(COMMANDS)
    return told


def test_a_database_without_tables_is_one_line(tmp_path: Path) -> None:
    lacking = (
        "CommandError: The database lacks tables of this version."
        " Run: manage.py migrate\n"
    )
    assert run_all({"DATA_DIR": str(tmp_path)}) == [(1, lacking)] * len(COMMANDS)

    done = run({"DATA_DIR": str(tmp_path)}, "manage.py", *COMMANDS[0])
    assert (done.returncode, done.stderr) == (1, lacking)


def test_a_database_that_is_away_is_one_line() -> None:
    url = "postgres://pbx:secret@127.0.0.1:1/site"

    for status, lines in run_all(PRODUCTION | {"DATABASE_URL": url}):
        assert status == 1
        (line,) = lines.splitlines()
        assert line.startswith("CommandError: The database cannot be reached:")
        assert "Connection refused. Check DATABASE_URL" in line
        assert "secret" not in line


def test_a_silent_database_is_not_waited_for_for_long() -> None:
    url = f"{PRODUCTION['DATABASE_URL']}?connect_timeout=2"

    known = settings_in(PRODUCTION, "DATABASES")["DATABASES"]
    named = settings_in(PRODUCTION | {"DATABASE_URL": url}, "DATABASES")["DATABASES"]

    assert known["default"]["OPTIONS"]["connect_timeout"] == 5
    assert named["default"]["OPTIONS"]["connect_timeout"] == 2


@pytest.mark.django_db
def test_a_command_whose_words_nobody_reads_ends_without_a_traceback() -> None:
    read, written = os.pipe()
    os.close(read)

    with (
        os.fdopen(written, "w", buffering=1) as output,
        pytest.raises(SystemExit) as end,
    ):
        call_command("authconfig", "show", stdout=output)

    assert end.value.code == 1
