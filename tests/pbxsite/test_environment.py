"""The settings as other environments make them: each case is a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.services import ROOT

PRODUCTION = {
    "DATABASE_URL": "postgres://pbx:p%40ss@db.example:6543/site",
    "REDIS_URL": "rediss://:word@redis.example:6380/2",
    "SECRET_KEY": "a-key-for-tests-that-is-long-and-varied-enough-0123456789-abcdef",
    "SITE_URL": "https://pbx.example",
    "ALLOWED_HOSTS": "pbx.example,10.0.0.5",
}
REQUIRED = [name for name in PRODUCTION if name != "DATABASE_URL"]
COMMANDS = [
    ("manage.py", "migrate"),
    ("manage.py", "shell", "-c", "print(1)"),
    ("manage.py", "version"),
    ("-m", "uvicorn", "pbxsite.asgi:application"),
    ("-m", "celery", "-A", "pbxsite", "worker"),
    ("-m", "celery", "-A", "pbxsite", "beat"),
]
# In the process that makes the tables, whose files are open meanwhile.
MAKE_TABLES = """
import sys
from pathlib import Path
import django
django.setup()
from django.core.management import call_command
from django.db import connection
call_command("migrate", "contenttypes", verbosity=0)
connection.cursor().execute("SELECT 1")
for path in sorted(Path(sys.argv[1]).rglob("*")):
    print(path.name, oct(path.stat().st_mode & 0o777))
"""
ASK = """
import json
import sys

from django.conf import settings

print(json.dumps({name: getattr(settings, name) for name in sys.argv[1:]}, default=str))
"""


def run(
    environment: Mapping[str, str], *command: str
) -> subprocess.CompletedProcess[str]:
    kept = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "pbxsite.settings"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=kept | dict(environment),
        capture_output=True,
        text=True,
        timeout=60,
        umask=0o022,  # as most shells have it
    )


def settings_in(environment: Mapping[str, str], *names: str) -> dict[str, Any]:
    done = run(environment, "-c", ASK, *names)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_variable_ends_the_start_with_its_name_alone(name: str) -> None:
    environment = {k: v for k, v in PRODUCTION.items() if k != name}

    done = run(environment, "manage.py", "check")

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"Set the environment variable {name}, or {name}_FILE with a file's path.\n"
    )


def test_within_this_machine_http_will_do() -> None:
    found = settings_in(
        PRODUCTION | {"SITE_URL": "http://[::1]:8000/"}, "SITE_URL", "HTTPS"
    )

    assert found == {"SITE_URL": "http://[::1]:8000", "HTTPS": False}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_process_ends_where_the_key_can_be_guessed(
    command: tuple[str, ...],
) -> None:
    done = run(PRODUCTION | {"SECRET_KEY": "abc"}, *command)

    assert done.returncode == 1
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line.startswith("SECRET_KEY can be guessed: it needs at least 50 characters")


def test_passwords_in_the_clear_end_the_start() -> None:
    done = run(PRODUCTION | {"SITE_URL": "http://pbx.example"}, "manage.py", "migrate")

    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("SITE_URL is “http://pbx.example”; write it like https://")


def test_help_is_there_without_a_safe_site() -> None:
    bad = {"SECRET_KEY": "abc", "SITE_URL": "http://pbx.example"}

    done = run(PRODUCTION | bad, "manage.py", "help")

    assert (done.returncode, done.stderr) == (0, "")
    assert "rotatekeys" in done.stdout


def test_a_key_from_outside_is_not_weaker_in_the_embedded_mode(tmp_path: Path) -> None:
    place = {"DATA_DIR": str(tmp_path)}
    assert run(place, "manage.py", "check").returncode == 0

    done = run(place | {"SECRET_KEY": "abc"}, "manage.py", "check")

    assert done.stderr.startswith("SECRET_KEY can be guessed")


@pytest.mark.parametrize("mode", ["embedded", "production"])
def test_nobody_else_reads_what_a_command_makes(tmp_path: Path, mode: str) -> None:
    place = tmp_path / "new" / "data"
    environment: dict[str, str] = {"DATA_DIR": str(place)}
    if mode == "production":
        url = f"sqlite:///{tmp_path}/db.sqlite3"
        environment |= PRODUCTION | {"DATABASE_URL": url}

    done = run(environment, "-c", MAKE_TABLES, str(tmp_path))

    modes = dict(line.split() for line in done.stdout.splitlines())
    assert {"db.sqlite3", "db.sqlite3-wal", "db.sqlite3-shm"} <= modes.keys()
    folders = {"new", "data", "static"}
    assert {modes[name] for name in modes.keys() & folders} <= {"0o700"}
    assert {modes[name] for name in modes.keys() - folders} == {"0o600"}


def test_a_database_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    file = tmp_path / "db.sqlite3"
    file.touch()
    file.chmod(0o644)

    settings_in({"DATA_DIR": str(tmp_path)}, "DEBUG")

    assert file.stat().st_mode & 0o777 == 0o600


def test_a_blank_variable_counts_as_missing() -> None:
    done = run(PRODUCTION | {"SECRET_KEY": " "}, "manage.py", "check")

    assert done.stderr.startswith("Set the environment variable SECRET_KEY,")


@pytest.mark.parametrize(
    "command",
    [
        ("uvicorn", "pbxsite.asgi:application"),
        ("celery", "-A", "pbxsite", "worker"),
    ],
)
def test_servers_end_with_the_missing_name_as_well(command: tuple[str, ...]) -> None:
    environment = {k: v for k, v in PRODUCTION.items() if k != "REDIS_URL"}

    done = run(environment, "-m", *command)

    assert done.returncode == 1
    assert "REDIS_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_each_variable_can_stand_in_a_file(tmp_path: Path) -> None:
    environment = {}
    for name, value in PRODUCTION.items():
        path = tmp_path / name
        path.write_text(f"{value}\n")
        environment[f"{name}_FILE"] = str(path)

    found = settings_in(environment, *REQUIRED, "DATABASES", "EMBEDDED")

    assert found["EMBEDDED"] is False
    assert found["SECRET_KEY"] == PRODUCTION["SECRET_KEY"]
    assert found["REDIS_URL"] == f"{PRODUCTION['REDIS_URL']}?ssl_cert_reqs=required"
    assert found["SITE_URL"] == PRODUCTION["SITE_URL"]
    assert found["ALLOWED_HOSTS"] == ["pbx.example", "10.0.0.5"]
    assert found["DATABASES"]["default"]["NAME"] == "site"


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL"])
def test_a_file_that_is_not_there_ends_the_start(tmp_path: Path, name: str) -> None:
    environment = {k: v for k, v in PRODUCTION.items() if k != name}
    environment[f"{name}_FILE"] = str(tmp_path / "nothing")

    done = run(environment, "manage.py", "check")

    assert done.returncode != 0
    assert f"{tmp_path}/nothing" in done.stderr
    # Above all not a site on a SQLite file that nobody asked for.
    assert list(tmp_path.iterdir()) == []


def test_the_address_of_the_database_is_understood() -> None:
    database = settings_in(PRODUCTION, "DATABASES")["DATABASES"]["default"]

    assert database["ENGINE"] == "pbxsite.postgresql"
    assert (database["HOST"], database["PORT"]) == ("db.example", 6543)
    assert (database["USER"], database["PASSWORD"]) == ("pbx", "p@ss")


def test_a_site_behind_https_guards_its_cookies() -> None:
    switches = (
        "SESSION_COOKIE_SECURE",
        "CSRF_COOKIE_SECURE",
        "SESSION_COOKIE_HTTPONLY",
        "CSRF_COOKIE_HTTPONLY",
        "SECURE_SSL_REDIRECT",
        "SECURE_CONTENT_TYPE_NOSNIFF",
    )

    found = settings_in(
        PRODUCTION,
        *switches,
        "SECURE_HSTS_SECONDS",
        "DEBUG",
        "CSRF_TRUSTED_ORIGINS",
        "SESSION_COOKIE_SAMESITE",
        "SESSION_COOKIE_NAME",
    )

    assert {found[name] for name in switches} == {True}
    assert found["SECURE_HSTS_SECONDS"] >= 31536000
    assert found["DEBUG"] is False
    assert found["CSRF_TRUSTED_ORIGINS"] == ["https://pbx.example"]
    assert found["SESSION_COOKIE_SAMESITE"] == "Lax"
    assert found["SESSION_COOKIE_NAME"].startswith("__Host-")


def test_the_production_site_passes_djangos_checks() -> None:
    done = run(PRODUCTION, "manage.py", "check", "--deploy", "--fail-level", "WARNING")

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_production_replies_are_guarded_by_headers(tmp_path: Path) -> None:
    """In one process, as no test server speaks https."""
    code = """
import django
django.setup()
from django.test import Client
plain = Client(SERVER_NAME="pbx.example").get("/livez")
moved = Client(SERVER_NAME="pbx.example").get("/login/")
reply = Client(SERVER_NAME="pbx.example").get("/livez", secure=True)
print(plain.status_code, moved.status_code, moved.url)
print(reply["Strict-Transport-Security"])
"""
    done = run(PRODUCTION | {"DATABASE_URL": "sqlite://:memory:"}, "-c", code)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "200 301 https://pbx.example/login/",
        "max-age=31536000",
    ]


def test_a_host_speaks_for_its_domain_only_when_it_is_told_to() -> None:
    names = [f"SECURE_HSTS_{name}" for name in ("SECONDS", "INCLUDE_SUBDOMAINS")]
    made = {"HSTS_SECONDS": "3600", "HSTS_INCLUDE_SUBDOMAINS": "on"}

    assert list(settings_in(PRODUCTION, *names).values()) == [31536000, False]
    assert list(settings_in(PRODUCTION | made, *names).values()) == [3600, True]


def test_the_embedded_mode_makes_its_key_once(tmp_path: Path) -> None:
    environment = {"DATA_DIR": str(tmp_path / "data")}
    names = ("EMBEDDED", "SECRET_KEY", "ENCRYPTION_KEYS", "ALLOWED_HOSTS", "SITE_URL")

    first, second = (settings_in(environment, *names) for _ in range(2))

    assert first == second
    assert first["EMBEDDED"] is True
    assert len(first["SECRET_KEY"]) >= 64
    assert first["ENCRYPTION_KEYS"] == [first["SECRET_KEY"]]
    assert first["ALLOWED_HOSTS"] == ["127.0.0.1", "localhost"]
    assert first["SITE_URL"] == "http://127.0.0.1:8000"


def test_the_embedded_mode_is_sqlite_without_secure_cookies(tmp_path: Path) -> None:
    found = settings_in(
        {"DATA_DIR": str(tmp_path), "PORT": "8123"},
        "DATABASES",
        "SITE_URL",
        "SESSION_COOKIE_SECURE",
        "SESSION_COOKIE_NAME",
        "SECURE_SSL_REDIRECT",
        "SECURE_HSTS_SECONDS",
        "DEBUG",
    )

    database = found["DATABASES"]["default"]
    assert database["ENGINE"] == "django.db.backends.sqlite3"
    assert database["NAME"] == str(tmp_path / "db.sqlite3")
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in database["OPTIONS"]["init_command"]
    assert found["SITE_URL"] == "http://127.0.0.1:8123"
    assert found["SESSION_COOKIE_SECURE"] is False
    # Over http browsers take no other name.
    assert found["SESSION_COOKIE_NAME"] == "pbx_session"
    assert found["SECURE_SSL_REDIRECT"] is False
    assert found["SECURE_HSTS_SECONDS"] == 0
    assert found["DEBUG"] is False


def test_an_older_key_still_opens_secrets() -> None:
    environment = PRODUCTION | {
        "SECRET_KEY_FALLBACKS": "older, oldest",
        "ALLOWED_HOSTS": "pbx.example, 10.0.0.5,",
    }

    found = settings_in(environment, "ENCRYPTION_KEYS", "ALLOWED_HOSTS")

    key = PRODUCTION["SECRET_KEY"]
    assert found["ENCRYPTION_KEYS"] == [key, "older", "oldest"]
    assert found["ALLOWED_HOSTS"] == ["pbx.example", "10.0.0.5"]


def test_keys_of_secrets_can_be_their_own(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("new,old\n")

    found = settings_in(
        PRODUCTION | {"ENCRYPTION_KEYS_FILE": str(path)}, "ENCRYPTION_KEYS"
    )

    assert found["ENCRYPTION_KEYS"] == ["new", "old"]


def test_proxies_are_believed_only_when_they_are_named() -> None:
    names = ("ALLAUTH_TRUSTED_PROXY_COUNT", "SECURE_PROXY_SSL_HEADER")

    assert list(settings_in(PRODUCTION, *names).values()) == [0, None]
    found = settings_in(PRODUCTION | {"TRUSTED_PROXY_COUNT": "1"}, *names)
    assert found[names[0]] == 1
    assert found[names[1]] == ["HTTP_X_FORWARDED_PROTO", "https"]


@pytest.mark.parametrize("value", ["5/10m", "0/10m/user", "5/10w/user", "many"])
def test_a_limit_that_is_none_ends_the_start_with_an_example(value: str) -> None:
    done = run(PRODUCTION | {"LIMIT_HELD_LOGINS": value}, "manage.py", "check")

    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"LIMIT_HELD_LOGINS is “{value}”; write it like 5/10m/user."
    )


def test_the_limit_of_held_logins_is_read() -> None:
    made = PRODUCTION | {"LIMIT_HELD_LOGINS": "3/h/user"}

    assert settings_in(made, "LIMIT_HELD_LOGINS") == {
        "LIMIT_HELD_LOGINS": [3, "1:00:00"]
    }


def test_as_many_passwords_are_hashed_at_once_as_there_are_processors() -> None:
    processors = len(os.sched_getaffinity(0))

    assert settings_in(PRODUCTION, "LIMIT_HASHES") == {"LIMIT_HASHES": processors}
    made = PRODUCTION | {"LIMIT_HASHES": "3"}
    assert settings_in(made, "LIMIT_HASHES") == {"LIMIT_HASHES": 3}


@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_a_number_of_hashes_that_is_none_ends_the_start(value: str) -> None:
    done = run(PRODUCTION | {"LIMIT_HASHES": value}, "manage.py", "check")

    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"LIMIT_HASHES is “{value}”; write a whole number, 1 or more."
    )
