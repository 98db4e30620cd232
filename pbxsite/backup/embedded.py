"""What makes an embedded site: its database, its keys, and recordings on their way."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections

from pbxsite.backup import archive
from pbxsite.backup.archive import BackupError
from pbxsite.conf.databases import SQLITE_ENDS, file
from pbxsite.tables.release import newer_migrations

DATABASE, KEYS, RECORDINGS = "db.sqlite3", "site.env", "recordings"


def save(target: Path, passphrase: str) -> None:
    """Write a backup of the site, which may run meanwhile."""
    data_dir = settings.DATA_DIR
    if not (data_dir / DATABASE).exists():
        raise BackupError(f"There is no site in {data_dir} yet.")
    facts = {"version": settings.VERSION, "made_at": f"{datetime.now(UTC):%FT%TZ}"}
    with _draft(data_dir) as draft:
        # The database first: a recording that comes later is in no row, and no harm.
        _copy_database(data_dir / DATABASE, draft / DATABASE)
        shutil.copy(data_dir / KEYS, draft / KEYS)
        _copy_recordings(recordings_dir(), draft / RECORDINGS)
        archive.write(target, draft, facts, passphrase)


def recordings_dir() -> Path:
    return Path(settings.STORAGES["recordings"]["OPTIONS"]["location"])


@contextmanager
def _draft(data_dir: Path) -> Iterator[Path]:
    """Give a private folder on the site's own disk, which goes in any case."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=data_dir) as name:
        yield Path(name)


def _copy_database(source: Path, target: Path) -> None:
    """Copy it as SQLite does: a copy of the file alone lacks what is in its log."""
    with (
        closing(sqlite3.connect(source, timeout=30)) as live,
        closing(sqlite3.connect(target)) as copy,
    ):
        live.backup(copy)
        _require_whole(copy)


def _require_whole(database: sqlite3.Connection) -> None:
    try:
        (said,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        raise BackupError(f"The database is damaged: {error}.") from error
    if said != "ok":
        raise BackupError(f"The database is damaged: {said}.")


def _copy_recordings(source: Path, target: Path) -> None:
    target.mkdir()
    for path in source.rglob("*") if source.is_dir() else ():
        if path.is_file() and not path.name.startswith("."):
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            # One that has been delivered meanwhile is needed no more.
            try:
                shutil.copy(path, copy)
            except FileNotFoundError:
                continue


@contextmanager
def opened(source: Path, passphrase: str) -> Iterator[Path]:
    """Give a folder with the backup's files, all of them checked."""
    with _draft(settings.DATA_DIR) as draft:
        archive.unpack(source, draft, passphrase)
        # An archive holds files alone: without recordings there is no folder of them.
        (draft / RECORDINGS).mkdir(exist_ok=True)
        with closing(sqlite3.connect(draft / DATABASE)) as database:
            _require_whole(database)
        _require_known_migrations(draft / DATABASE)
        yield draft


def _require_known_migrations(database: Path) -> None:
    with second_database(database) as alias:
        newer = newer_migrations(connections[alias])
    if newer:
        raise BackupError(
            f"The backup is of a newer version, with {newer[0]}: install that one."
        )


@contextmanager
def second_database(path: Path) -> Iterator[str]:
    """Let Django read the file too; give the name of its connection."""
    alias = "backup"
    given: dict[str, Any] = {
        **connections["default"].settings_dict,
        **file(path.parent),
    }
    connections.databases[alias] = given | {"NAME": path, "OPTIONS": {}}
    try:
        yield alias
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.databases[alias]


def put_back(draft: Path, *, replace: bool) -> Path | None:
    """Make the backup the site of DATA_DIR; return where a site before it is now.

    Nothing of that one is deleted.
    """
    data_dir = settings.DATA_DIR
    before = _set_aside(data_dir, replace=replace)
    for name in (KEYS, DATABASE):
        (draft / name).replace(data_dir / name)
    shutil.move(draft / RECORDINGS, recordings_dir())
    return before


def _set_aside(data_dir: Path, *, replace: bool) -> Path | None:
    if not (data_dir / DATABASE).exists():
        shutil.rmtree(recordings_dir(), ignore_errors=True)
        return None
    if not replace:
        raise BackupError(
            f"There is a site in {data_dir}. With --replace it is set aside, and kept."
        )
    aside = data_dir / f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    aside.mkdir(mode=0o700)
    for end in SQLITE_ENDS:
        _move(data_dir / f"{DATABASE}{end}", aside)
    _move(data_dir / KEYS, aside)
    _move(recordings_dir(), aside)
    return aside


def _move(path: Path, into: Path) -> None:
    if path.exists():
        shutil.move(path, into / path.name)


def key_of(draft: Path) -> str:
    """Return the SECRET_KEY of the site that was saved."""
    lines = (draft / KEYS).read_text().splitlines()
    pairs = dict(line.split("=", 1) for line in lines if "=" in line)
    return pairs.get("SECRET_KEY", "")
