"""Where the site keeps files: those for browsers, and recordings of voicemails."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage

FILES = "django.core.files.storage.FileSystemStorage"
PRIVATE, PUBLIC = 0o077, 0o022


def keep_files_private() -> None:
    """Let this process make files that its user alone reads, whoever began it."""
    os.umask(PRIVATE)


def take_from_others(paths: Iterable[Path]) -> None:
    """Let nobody else read what an older release, or somebody by hand, has made."""
    for path in paths:
        # It is gone by now, or somebody else's.
        with contextlib.suppress(FileNotFoundError, PermissionError):
            path.chmod(path.stat().st_mode & ~PRIVATE)


class StaticFilesStorage(CompressedManifestStaticFilesStorage):
    """The files for browsers, under names that change with their content.

    Scripts import each other under such names too, not a former release's.
    """

    support_js_module_import_aggregation = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, directory_permissions_mode=0o755, **kwargs)

    def post_process(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Let the proxy read what is compressed as well; Django sees to the rest."""
        before = os.umask(PUBLIC)
        try:
            yield from super().post_process(*args, **kwargs)
        finally:
            os.umask(before)


def storages(recordings: str, *, embedded: bool) -> dict[str, dict[str, Any]]:
    """Return STORAGES; the embedded mode serves static files where they lie."""
    plain = "django.contrib.staticfiles.storage.StaticFilesStorage"
    hashed = f"{StaticFilesStorage.__module__}.{StaticFilesStorage.__name__}"
    private = {
        "location": recordings,
        "file_permissions_mode": 0o600,
        "directory_permissions_mode": 0o700,
    }
    return {
        "default": {"BACKEND": FILES},
        # No address of the site leads there: mails carry what it holds.
        "recordings": {"BACKEND": FILES, "OPTIONS": private},
        "staticfiles": {"BACKEND": plain if embedded else hashed},
    }
