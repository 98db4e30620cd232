"""The one-time code and the cookie that a browser shows on a client's own host.

Both are signed and hold nothing secret. The state ties the code to the browser that
asked for it there. The site's session cookie never leaves the site's host.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import NamedTuple

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.core import signing
from django.core.cache import cache
from django.utils.crypto import constant_time_compare

CODE_SALT = "pbxsite.forward.code"
COOKIE_SALT = "pbxsite.forward.cookie"
CODE_TTL_SECONDS = 60


class Pass(NamedTuple):
    """Which session may open which client, on which host."""

    session_pk: int
    slug: str
    host: str


def cookie_name(slug: str) -> str:
    return _prefixed(f"pbx_client_{slug}")


def state_name(slug: str) -> str:
    return _prefixed(f"pbx_state_{slug}")


def _prefixed(name: str) -> str:
    """Browsers take a __Host- cookie only by https, from the very host that sets it."""
    return f"__Host-{name}" if settings.HTTPS else name


def new_state() -> str:
    return secrets.token_urlsafe(32)


def digest(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def make_code(session: UserSession, slug: str, host: str, state_digest: str) -> str:
    shown = [session.pk, slug, host, state_digest, secrets.token_hex(8)]
    return signing.dumps(shown, salt=CODE_SALT)


def use_code(code: str, slug: str, host: str, state: str) -> Pass | None:
    """Return the code's pass, once, to the browser that holds its state."""
    try:
        shown = signing.loads(code, salt=CODE_SALT, max_age=CODE_TTL_SECONDS)
    except signing.BadSignature:
        return None
    session_pk, of_slug, of_host, state_digest, nonce = shown
    if (of_slug, of_host) != (slug, host):
        return None
    if not state or not constant_time_compare(state_digest, digest(state)):
        return None
    is_first = cache.add(f"forward-code:{nonce}", 1, CODE_TTL_SECONDS)
    return Pass(session_pk, slug, host) if is_first else None


def make_cookie(shown: Pass) -> str:
    return signing.Signer(salt=COOKIE_SALT).sign_object(list(shown))


def read_cookie(value: str) -> Pass | None:
    try:
        return Pass(*signing.Signer(salt=COOKIE_SALT).unsign_object(value))
    except (signing.BadSignature, TypeError, ValueError):
        return None
