"""What is kept in place of an erased person's name, address and browser: digests.

Only who holds the key can tell whether a name belongs to one. The key is derived from
the first of ENCRYPTION_KEYS. After a rotation the same name has another digest; once
the old key is gone nobody can tell whose the older ones were.
"""

from __future__ import annotations

import hmac
from functools import cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.translation import gettext as _

from authconfig.names import name_key

PURPOSE = b"authconfig.users.pseudonyms"
ERASED = "erased "
NAME_DIGITS, FACT_DIGITS = 16, 8


@cache
def _key(ring_key: str) -> bytes:
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE)
    return kdf.derive(ring_key.encode())


def _digest(*texts: str) -> str:
    key = _key(settings.ENCRYPTION_KEYS[0])
    return hmac.new(key, "\0".join(texts).encode(), "sha256").hexdigest()


def pseudonym_of(name: str) -> str:
    """Return the same for all spellings of a name that are one user's."""
    return f"{ERASED}{_digest('name', name_key(name))[:NAME_DIGITS]}"


def origin_of_erased(name: str, address: str | None, user_agent: str) -> str:
    """Return what stands in the column of the browser, for the address as well.

    Only events of the same person can be compared: a household shares an address.
    """
    facts = {"address": address, "browser": user_agent}
    told = [
        f"{fact} {_digest(fact, name_key(name), value)[:FACT_DIGITS]}"
        for fact, value in facts.items()
        if value
    ]
    return f"{ERASED}{', '.join(told)}" if told else ""


def in_words(name: str) -> str:
    """Return a name of the audit log as people read it."""
    if not name.startswith(ERASED):
        return name
    return _("erased: %(digest)s") % {"digest": name.removeprefix(ERASED)}
