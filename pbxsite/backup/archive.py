"""The file of a backup: files in a tar archive that lists them, encrypted by age.

Whoever has the passphrase can open it without this site: `age -d FILE | tar -xz`.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pyrage

FORMAT = 1
CONTENTS = "contents.json"
ENCRYPTED = b"age-encryption.org/"


class BackupError(Exception):
    """Why there is no backup, or none that can be used; the text is for operators."""


def write(file: Path, folder: Path, facts: dict[str, Any], passphrase: str) -> None:
    """Pack all files of the folder; without a passphrase they stay readable.

    The file appears whole or not at all, and nobody else may read it.
    """
    packed = _packed(folder, facts)
    if passphrase:
        packed = pyrage.passphrase.encrypt(packed, passphrase)
    try:
        handle, draft = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    except OSError as error:
        raise BackupError(f"{file} cannot be written: {error.strerror}.") from error
    try:
        with os.fdopen(handle, "wb") as output:
            output.write(packed)
            output.flush()
            os.fsync(output.fileno())
        Path(draft).replace(file)
    except OSError as error:
        Path(draft).unlink(missing_ok=True)
        raise BackupError(f"{file} cannot be written: {error.strerror}.") from error


def _packed(folder: Path, facts: dict[str, Any]) -> bytes:
    files = {
        str(path.relative_to(folder)): path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    sums = {name: _sum(path.read_bytes()) for name, path in files.items()}
    contents = json.dumps({"format": FORMAT, **facts, "files": sums}).encode()
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as tar:
        entry = tarfile.TarInfo(CONTENTS)
        entry.size, entry.mode = len(contents), 0o600
        tar.addfile(entry, io.BytesIO(contents))
        for name, path in files.items():
            tar.add(path, arcname=name)
    return whole.getvalue()


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def is_encrypted(file: Path) -> bool:
    return _read(file).startswith(ENCRYPTED)


def unpack(file: Path, into: Path, passphrase: str) -> dict[str, Any]:
    """Lay out the backup's files, each checked; return what it says of itself."""
    packed = _read(file)
    if packed.startswith(ENCRYPTED):
        try:
            packed = pyrage.passphrase.decrypt(packed, passphrase)
        except pyrage.DecryptError as error:
            words = "the passphrase is wrong, or the file is damaged"
            raise BackupError(f"{file} does not open: {words}.") from error
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
            tar.extractall(into, filter="data")
        contents: dict[str, Any] = json.loads((into / CONTENTS).read_text())
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise BackupError(f"{file} is no backup of this site, or damaged.") from error
    _check(file, into, contents)
    return contents


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BackupError(f"{file} cannot be read: {error.strerror}.") from error


def _check(file: Path, into: Path, contents: dict[str, Any]) -> None:
    if contents.get("format") != FORMAT:
        raise BackupError(
            f"{file} was made by a newer version of this site; install that one."
        )
    for name, expected in contents["files"].items():
        path = into / name
        if not path.is_file() or _sum(path.read_bytes()) != expected:
            raise BackupError(f"{file} is damaged: {name} is not what was saved.")
