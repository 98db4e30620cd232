"""A site in one file, whole, and back again, here and on PostgreSQL."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

import environ
import psycopg
import pytest
from django.conf import settings

from pbxsite.backup import archive
from pbxsite.backup.archive import BackupError
from tests.pbxsite.test_environment import PRODUCTION
from tests.support.services import ROOT
from tests.support.site import bring_tables

PASSPHRASE = "six words that nobody guesses"
SAVED = "SELECT count(*) FROM written"


class Site:
    """The commands of an embedded site, or of one with PostgreSQL."""

    def __init__(self, data_dir: Path, **environment: str) -> None:
        self.data_dir, self._environment = data_dir, environment

    def manage(self, *words: str, said: str = PASSPHRASE) -> tuple[int, str]:
        """Return the exit status, and what was written on both outputs."""
        kept = {"PATH": os.environ["PATH"], "DATA_DIR": str(self.data_dir)}
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=kept | self._environment,
            input=f"{said}\n",
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    def database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.data_dir / "db.sqlite3", timeout=20)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Bert, an account with a password, and a recording that waits."""
    bring_tables(tmp_path / "first")
    site = Site(tmp_path / "first")
    assert site.manage("pbxusers", "add", "bert", "--email", "b@example.com")[0] == 0
    account = ("smtp_server=127.0.0.1", "smtp_security=none", "smtp_username=pbx")
    assert site.manage(
        "authconfig", "set", *account, "smtp_email_address=p@example.com",
        "smtp_password=a kept secret",
    )[0] == 0  # fmt: skip
    recording = site.data_dir / "recordings" / "ab" / "one.kept"
    recording.parent.mkdir(parents=True)
    recording.write_bytes(b"RIFF")
    return site


@pytest.fixture
def saved(site: Site, tmp_path: Path) -> Path:
    file = tmp_path / "site.backup"
    status, said = site.manage("backup", str(file))
    assert status == 0, said
    return file


def users(site: Site) -> str:
    return site.manage("pbxusers", "export")[1]


def shown(site: Site) -> dict[str, object]:
    status, said = site.manage("authconfig", "show", "--json")
    assert status == 0, said
    found: dict[str, object] = json.loads(said)
    return found


@pytest.mark.long
def test_a_saved_site_is_there_again_on_another_machine(
    site: Site, saved: Path, tmp_path: Path
) -> None:
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert b"b@example.com" not in saved.read_bytes()
    assert not list(site.data_dir.glob(".backup-*"))

    other = Site(tmp_path / "second")
    status, said = other.manage("restore", str(saved))

    assert status == 0, said
    assert users(other) == users(site)
    # The key came too, or it would read as not set.
    assert shown(other)["smtp_password"] == shown(site)["smtp_password"] == "set"
    recording = other.data_dir / "recordings" / "ab" / "one.kept"
    assert recording.read_bytes() == b"RIFF"


@pytest.mark.long
def test_what_is_written_meanwhile_is_there_wholly_or_not_at_all(
    site: Site, tmp_path: Path
) -> None:
    is_over, written = Event(), [0]
    with closing(site.database()) as database:
        database.execute("CREATE TABLE written (a INTEGER, b BLOB)")

    def write() -> None:
        with closing(site.database()) as database:
            while not is_over.is_set():
                for _ in range(2):
                    database.execute("INSERT INTO written VALUES (1, randomblob(9000))")
                database.commit()
                written[0] += 2

    writer = Thread(target=write)
    writer.start()
    try:
        status, said = site.manage("backup", "--plain", str(tmp_path / "plain"))
    finally:
        is_over.set()
        writer.join()

    assert status == 0, said
    contents = archive.unpack(tmp_path / "plain", tmp_path / "out", "")
    assert contents["version"] == settings.VERSION
    with closing(sqlite3.connect(tmp_path / "out" / "db.sqlite3")) as copy:
        ((count,),) = copy.execute(SAVED)
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert count % 2 == 0
    assert 0 < count <= written[0]


@pytest.mark.long
def test_no_site_is_overwritten_unasked_nor_while_it_runs(
    site: Site, saved: Path
) -> None:
    status, said = site.manage("restore", str(saved))
    assert (status, "With --replace it is set aside" in said) == (1, True)

    with (site.data_dir / "site.lock").open("a+") as running:
        fcntl.flock(running, fcntl.LOCK_EX)
        status, said = site.manage("restore", "--replace", str(saved))
        assert (status, "A site is running on" in said) == (1, True)

    before = users(site)
    site.manage("pbxusers", "add", "carl")
    status, said = site.manage("restore", "--replace", str(saved))
    assert status == 0, said
    assert users(site) == before
    (aside,) = site.data_dir.glob("replaced-*")
    with closing(sqlite3.connect(aside / "db.sqlite3")) as old:
        assert ("carl",) in old.execute("SELECT name FROM users_pbxuser").fetchall()


@pytest.mark.long
def test_what_cannot_be_used_is_told_in_one_line(site: Site, saved: Path) -> None:
    damaged = saved.with_name("damaged")
    damaged.write_bytes(saved.read_bytes()[:-30])
    told = {
        ("restore", str(saved)): ("wrong passphrase!", "the passphrase is wrong"),
        ("restore", str(damaged)): (PASSPHRASE, "or the file is damaged"),
        ("restore", "/nowhere/file"): (PASSPHRASE, "cannot be read"),
        ("backup", "/nowhere/file"): (PASSPHRASE, "cannot be written"),
        ("backup", "file"): ("short", "12 characters or more"),
    }
    for command, (passphrase, words) in told.items():
        status, said = site.manage(*command, said=passphrase)
        assert (status, len(said.splitlines())) == (1, 1), said
        assert words in said


def test_a_file_inside_that_was_changed_is_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one").write_text("as it was")
    archive.write(tmp_path / "file", tmp_path / "in", {"files": {}}, "")
    contents = archive.unpack(tmp_path / "file", tmp_path / "out", "")
    (tmp_path / "out" / "one").write_text("changed")

    with pytest.raises(BackupError, match="one is not what was saved"):
        archive._check(tmp_path / "file", tmp_path / "out", contents)
    with pytest.raises(BackupError, match="a newer version"):
        archive._check(tmp_path / "file", tmp_path / "out", contents | {"format": 2})


@pytest.fixture
def database() -> Iterator[str]:
    """A database of the test's own on the tests' PostgreSQL."""
    server, name = os.environ["DATABASE_URL"], f"moved_{uuid4().hex[:12]}"
    at = environ.Env.db_url_config(server)
    where = {"host": at["HOST"], "user": at["USER"], "dbname": at["NAME"]}
    with psycopg.connect(**where, autocommit=True) as root:
        root.execute(f'CREATE DATABASE "{name}"')
        yield f"{server.rpartition('/')[0]}/{name}"
        root.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.mark.long
@pytest.mark.postgresql
@pytest.mark.timeout(180)
def test_an_embedded_site_moves_to_postgresql(
    site: Site, saved: Path, database: str, tmp_path: Path
) -> None:
    environment = PRODUCTION | {"DATABASE_URL": database}
    production = Site(tmp_path / "production", **environment)
    assert production.manage("migrate", "--verbosity=0")[0] == 0
    status, said = production.manage("restore", str(saved))
    assert status == 1
    assert "put it last into SECRET_KEY_FALLBACKS" in said

    key = production.manage("restore", "--key", str(saved))[1].strip()
    keys = {
        "SECRET_KEY_FALLBACKS": key,
        "ENCRYPTION_KEYS": f"{PRODUCTION['SECRET_KEY']},{key}",
    }
    production = Site(tmp_path / "production", **environment, **keys)
    status, said = production.manage("restore", str(saved))

    assert status == 0, said
    assert users(production) == users(site)
    assert shown(production)["smtp_password"] == "set"
    assert production.manage("pbxusers", "add", "carl")[0] == 0
    status, said = production.manage("restore", str(saved))
    assert (status, "This site has users" in said) == (1, True)
