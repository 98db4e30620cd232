"""What a site must not run with: a key that can be guessed, passwords by http."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

from authconfig.validators import is_loopback

KEY_CHARACTERS, KEY_DIFFERENT = 50, 5


def strong_key(key: str) -> str:
    """Return SECRET_KEY; if it can be guessed, the process ends and says so."""
    is_strong = len(key) >= KEY_CHARACTERS and len(set(key)) >= KEY_DIFFERENT
    if is_strong or asks_for_help():
        return key
    raise SystemExit(
        f"SECRET_KEY can be guessed: it needs at least {KEY_CHARACTERS} characters,"
        f" {KEY_DIFFERENT} of them different. Make one: openssl rand -base64 48."
        " Keep the old one in SECRET_KEY_FALLBACKS until rotatekeys has run."
    )


def private_url(url: str) -> str:
    """Return SITE_URL; passwords travel by http within this machine alone."""
    if asks_for_help():
        return url.rstrip("/")
    if not _is_private(url):
        raise SystemExit(
            f"SITE_URL is “{url}”; write it like https://pbx.example.com. An address"
            " with http:// is for this machine alone, such as http://127.0.0.1:8000."
        )
    if not _is_bare(url):
        raise SystemExit(
            f"SITE_URL is “{url}”; nothing may follow the name. The site needs a host"
            " name of its own and does not work below a path."
        )
    return url.rstrip("/")


def no_prefix(root_path: str) -> None:
    """End the start where the web server was told of a path above the site."""
    if root_path.strip("/"):
        raise SystemExit(
            f"UVICORN_ROOT_PATH is “{root_path}”; leave it out. The site needs a host"
            " name of its own and does not work below a path."
        )


def asks_for_help() -> bool:
    """Say whether this is `manage.py help`, which needs no site."""
    program, *rest = sys.argv or [""]
    is_help = not rest or rest[0] in ("help", "--help", "-h")
    return Path(program).name == "manage.py" and is_help


def _is_bare(url: str) -> bool:
    parts = urlsplit(url)
    return not (parts.path.strip("/") or parts.query or parts.fragment)


def _is_private(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = parts.hostname or ""
    if parts.scheme == "https":
        return bool(host)
    return parts.scheme == "http" and is_loopback(host)
