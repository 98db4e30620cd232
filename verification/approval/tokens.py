"""Links and codes, which are signed or derived when needed and stored nowhere."""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.utils.crypto import constant_time_compare

from verification.approval.models import LoginSession

LINK_SALT = "verification.tokens.link"
ENDING_SALT = "verification.tokens.ending"
CODE_SALT = b"verification.tokens.code"


def link_token(login: LoginSession) -> str:
    return signing.dumps([login.public_id.hex, login.link_number], salt=LINK_SALT)


def read_link_token(token: str) -> tuple[UUID, int] | None:
    """Return the login's public id and the link's number; None if forged or old."""
    try:
        public_id, number = signing.loads(
            token, salt=LINK_SALT, max_age=settings.LOGIN_SESSION_TTL
        )
        return UUID(public_id), int(number)
    except (signing.BadSignature, TypeError, ValueError):
        return None


def ending_token(login: LoginSession) -> str:
    """Return the secret that lets whoever rejected the login end all sessions."""
    return signing.dumps(login.public_id.hex, salt=ENDING_SALT)


def read_ending_token(token: str) -> UUID | None:
    try:
        max_age = settings.LOGIN_SESSION_TTL
        return UUID(signing.loads(token, salt=ENDING_SALT, max_age=max_age))
    except (signing.BadSignature, TypeError, ValueError):
        return None


def approval_code(login: LoginSession) -> str:
    """Return the four digits that the waiting page shows, 1000 to 9999.

    Derived, so that neither the database nor the admin can show it. NIST SP
    800-63B-4, 3.1.3 asks for 20 bits or a limit of tries: three are allowed.
    """
    key = CODE_SALT + settings.SECRET_KEY.encode()
    digest = hmac.digest(key, login.public_id.bytes, hashlib.sha256)
    return str(1000 + int.from_bytes(digest) % 9000)


def is_approval_code(login: LoginSession, entered: str) -> bool:
    return constant_time_compare(approval_code(login), entered)
