"""DATA_DIR, where a site without DATABASE_URL keeps all it needs."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import tempfile
from pathlib import Path
from urllib.parse import quote

from pbxsite.conf.storages import take_from_others

# The names that came from outside: the settings add those of site.env later.
GIVEN = frozenset(os.environ)
# Beside the database, which sees to itself.
OWN_NAMES = (
    *("site.env", "site.lock", "beat-schedule"),
    *("log", "mailbox", "recordings", "static"),
)
# When a mail came, as the name of its file.
MAIL_NAME_FORMAT = "%Y%m%dT%H%M%S.%fZ"
# Linux takes 107 bytes, other systems as few as 103.
MAX_SOCKET_PATH = 100


def prepare(data_dir: Path) -> Path:
    """Make what is missing; SystemExit says why nothing can be written there."""
    try:
        return _prepare(data_dir)
    except OSError as error:
        raise SystemExit(f"DATA_DIR {data_dir}: {error.strerror}.") from error


def _prepare(data_dir: Path) -> Path:
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    # WhiteNoise serves the packages' own files here, yet wants its directory.
    (data_dir / "static").mkdir(exist_ok=True)
    path = data_dir / "site.env"
    if not path.exists():
        draft = _draft(data_dir, f"SECRET_KEY={secrets.token_urlsafe(64)}\n")
        try:
            # If two first commands run at once, one makes the key and both use it.
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(draft)
        finally:
            draft.unlink()
    take_from_others(map(data_dir.joinpath, OWN_NAMES))
    return path


def is_given(name: str) -> bool:
    """Say whether the variable came from outside, by itself or as NAME_FILE."""
    return name in GIVEN or f"{name}_FILE" in GIVEN


def remembered(path: Path) -> dict[str, str]:
    pairs = (line.partition("=") for line in path.read_text().splitlines())
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def remember(path: Path, values: dict[str, str]) -> None:
    lines = path.read_text().splitlines()
    kept = [line for line in lines if line.partition("=")[0].strip() not in values]
    new = [f"{name}={value}" for name, value in values.items()]
    _draft(path.parent, "\n".join([*kept, *new]) + "\n").replace(path)


def _draft(directory: Path, text: str) -> Path:
    """Write a file that nobody reads yet; on a full disk none stays."""
    handle, name = tempfile.mkstemp(prefix=".site.env.", dir=directory)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
    except OSError:
        Path(name).unlink()
        raise
    return Path(name)


def redis_socket(data_dir: Path) -> Path:
    path = data_dir / "redis.sock"
    # Celery unquotes the path of a URL twice: one that needs no quoting is safe.
    is_plain = quote(str(path)) == str(path)
    if is_plain and len(str(path)) <= MAX_SOCKET_PATH:
        return path
    return _short_directory(data_dir) / "redis.sock"


def _short_directory(data_dir: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    # Not tempfile's choice: every command must find the same place, whatever TMPDIR.
    directory = Path(f"/tmp/pbxsite-{os.getuid()}-{digest}")  # noqa: S108
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    # Others can guess the name, and its owner would decide what the cache returns.
    found = directory.lstat()
    if (found.st_mode, found.st_uid) != (0o40700, os.getuid()):
        raise PermissionError(f"{directory} is not a private directory of this user.")
    return directory


def mailbox(data_dir: Path) -> Path:
    return data_dir / "mailbox"


def redis_url(data_dir: Path) -> str:
    return f"unix://{redis_socket(data_dir)}"
