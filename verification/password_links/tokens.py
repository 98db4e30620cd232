"""The token of a link, signed when it is needed."""

from __future__ import annotations

from django.core import signing

from verification.password_links.models import PasswordLink

SALT = "verification.password_links"


def token_for(link: PasswordLink) -> str:
    return signing.dumps(link.pk, salt=SALT)


def read_token(token: str) -> int | None:
    """Return the link's key; None if the token is forged. The row knows the time."""
    try:
        return int(signing.loads(token, salt=SALT))
    except (signing.BadSignature, TypeError, ValueError):
        return None
