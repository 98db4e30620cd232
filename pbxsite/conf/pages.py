"""How pages are made, and what browsers let them do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "media-src": [SELF],
        "form-action": [SELF],
        "manifest-src": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
# Ours first, then those of the packages.
LOADERS = [
    "django.template.loaders.filesystem.Loader",
    "pbxsite.administration.frame.Loader",
]


def templates(directory: Path) -> list[dict[str, Any]]:
    return [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [directory],
            "OPTIONS": {
                "loaders": [("django.template.loaders.cached.Loader", LOADERS)],
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                    "pbxsite.appearance.site",
                ],
            },
        },
    ]
