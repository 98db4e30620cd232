"""The file of a backup by itself: who can read it, and what of it is refused."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path

import pyrage
import pytest

from pbxsite.backup import archive
from pbxsite.backup.archive import BackupError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one").write_text("a secret of the site")
    return tmp_path / "in"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "kept").mkdir()
    return tmp_path / "kept" / "file"


def test_nobody_else_reads_it(folder: Path, file: Path) -> None:
    archive.write(file, folder, {}, "")

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not archive.is_encrypted(file)


def test_with_a_passphrase_nothing_readable_is_kept(
    folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What age makes of it takes seconds, by design; the long tests let it."""
    monkeypatch.setattr(
        pyrage.passphrase,
        "encrypt",
        lambda _packed, words: f"sealed by {words}".encode(),
    )
    archive.write(file, folder, {}, "six words")

    assert file.read_bytes() == b"sealed by six words"


def test_on_a_full_disk_the_backup_before_stays_and_no_draft(
    folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    file.write_bytes(b"the backup before")
    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(BackupError, match="cannot be written: No space left"):
        archive.write(file, folder, {}, "")

    assert [path.name for path in file.parent.iterdir()] == ["file"]
    assert file.read_bytes() == b"the backup before"


def test_what_does_not_fit_its_sum_is_not_unpacked(
    folder: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(archive, "_sum", lambda _content: "of another content")
        archive.write(file, folder, {}, "")

    with pytest.raises(BackupError, match="one is not what was saved"):
        archive.unpack(file, tmp_path / "out", "")


def test_no_file_of_it_leaves_its_folder(file: Path, tmp_path: Path) -> None:
    with tarfile.open(file, "w:gz") as tar:
        entry = tarfile.TarInfo("../outside")
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))

    (tmp_path / "out").mkdir()

    with pytest.raises(BackupError, match="is no backup of this site, or damaged"):
        archive.unpack(file, tmp_path / "out", "")
    assert not (tmp_path / "outside").exists()
