"""Where the site keeps files: those for browsers, and recordings of voicemails."""

from __future__ import annotations

from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage

FILES = "django.core.files.storage.FileSystemStorage"


class StaticFilesStorage(CompressedManifestStaticFilesStorage):
    """The files for browsers, under names that change with their content.

    Scripts import each other under such names too, not a former release's.
    """

    support_js_module_import_aggregation = True


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
