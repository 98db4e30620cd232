"""What goes into a backup and comes out of it, and what is refused before that."""

from __future__ import annotations

import fcntl
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import DjangoDbBlocker

from pbxsite.backup import embedded
from pbxsite.management.commands import restore
from pbxsite.settings import EMBEDDED
from tests.support.site import bring_tables

pytestmark = pytest.mark.skipif(not EMBEDDED, reason="a site of its own saves itself")


@pytest.fixture(autouse=True)
def _databases_of_its_own(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """These are files; the tests' own database is asked nothing."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def data_dir(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # The tests' own key comes from outside.
    monkeypatch.setattr(restore, "is_given", lambda _name: False)
    place = tmp_path / "site"
    bring_tables(place)
    (place / "site.env").write_text("SECRET_KEY=a=key\n")
    (place / "recordings" / "ab").mkdir(parents=True)
    (place / "recordings" / "ab" / "one").write_bytes(b"RIFF")
    settings.DATA_DIR = place
    where = settings.STORAGES["recordings"]["OPTIONS"]
    options = where | {"location": str(place / "recordings")}
    settings.STORAGES |= {
        "recordings": settings.STORAGES["recordings"] | {"OPTIONS": options}
    }
    return place


@pytest.fixture
def saved(data_dir: Path, tmp_path: Path) -> Path:
    embedded.save(tmp_path / "file", "")
    return tmp_path / "file"


def put(data_dir: Path, statement: str) -> None:
    with closing(sqlite3.connect(data_dir / "db.sqlite3")) as database:
        database.execute(statement)
        database.commit()


def names_in(data_dir: Path) -> list[str]:
    return sorted(path.name for path in data_dir.iterdir())


def test_a_site_comes_back_to_an_empty_place(data_dir: Path, saved: Path) -> None:
    shutil.rmtree(data_dir)
    # Of a site whose database somebody has deleted.
    (data_dir / "recordings" / "old").mkdir(parents=True)

    call_command("restore", str(saved))

    assert names_in(data_dir) == ["db.sqlite3", "recordings", "site.env", "site.lock"]
    assert (data_dir / "site.env").read_text() == "SECRET_KEY=a=key\n"
    recordings = data_dir / "recordings"
    assert [str(p.relative_to(recordings)) for p in recordings.rglob("*")] == [
        "ab",
        "ab/one",
    ]


def test_a_site_is_replaced_when_asked_to_and_kept_with_its_log(
    data_dir: Path, saved: Path
) -> None:
    (data_dir / "db.sqlite3-wal").write_bytes(b"what is not in the database yet")

    with pytest.raises(CommandError, match="With --replace it is set aside"):
        call_command("restore", str(saved))
    call_command("restore", str(saved), "--replace")

    (aside,) = data_dir.glob("replaced-*")
    assert names_in(aside) == ["db.sqlite3", "db.sqlite3-wal", "recordings", "site.env"]
    assert not (data_dir / "db.sqlite3-wal").exists()
    assert aside.stat().st_mode & 0o777 == 0o700


def test_nothing_is_put_under_a_site_that_runs(data_dir: Path, saved: Path) -> None:
    before = names_in(data_dir)

    with (data_dir / "site.lock").open("a+") as running:
        fcntl.flock(running, fcntl.LOCK_EX)
        with pytest.raises(CommandError, match="A site is running on"):
            call_command("restore", str(saved), "--replace")

    assert names_in(data_dir) == sorted([*before, "site.lock"])


def test_a_key_from_outside_has_to_be_that_of_the_backup(
    data_dir: Path, saved: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(restore, "is_given", lambda name: name == "SECRET_KEY")
    with pytest.raises(CommandError, match="is not that of the backup"):
        call_command("restore", str(saved), "--replace")

    settings.SECRET_KEY = "a=key"
    call_command("restore", str(saved), "--replace")


def test_a_backup_of_a_newer_version_is_refused_by_its_name(
    data_dir: Path, tmp_path: Path
) -> None:
    put(
        data_dir,
        "INSERT INTO django_migrations (app, name, applied)"
        " VALUES ('users', '9999_later', '2026-01-01')",
    )
    embedded.save(tmp_path / "newer", "")

    with pytest.raises(CommandError, match=r"newer version, with users\.9999_later"):
        call_command("restore", str(tmp_path / "newer"), "--replace")


def test_a_damaged_database_is_neither_saved_nor_brought_back(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(data_dir, "CREATE TABLE numbers (n INTEGER CHECK (n > 0))")
    with closing(sqlite3.connect(data_dir / "db.sqlite3")) as database:
        database.execute("PRAGMA ignore_check_constraints = 1")
        database.execute("INSERT INTO numbers VALUES (-1)")
        database.commit()

    with pytest.raises(CommandError, match="The database is damaged: CHECK"):
        call_command("backup", str(tmp_path / "file"), "--plain")
    assert not (tmp_path / "file").exists()

    with monkeypatch.context() as patched:
        patched.setattr(embedded, "_require_whole", lambda _database: None)
        embedded.save(tmp_path / "file", "")
    with pytest.raises(CommandError, match="The database is damaged: CHECK"):
        call_command("restore", str(tmp_path / "file"), "--replace")


def test_a_recording_that_goes_meanwhile_is_not_missed(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data_dir / "recordings" / "two").write_bytes(b"RIFF")
    copy = shutil.copy

    def deliver_first(source: Path, target: Path) -> None:
        if source.name == "one":
            source.unlink()
        copy(source, target)

    monkeypatch.setattr(shutil, "copy", deliver_first)

    embedded.save(tmp_path / "file", "")

    with embedded.opened(tmp_path / "file", "") as draft:
        assert (draft / "recordings" / "two").exists()
        assert not (draft / "recordings" / "ab" / "one").exists()
