"""Why an SMTP server takes no token: what it says before its refusal."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from authconfig.network import readable
from authconfig.oauth2.discovery import json_object

LONGEST_VALUE = 100


def challenge_words(challenge: bytes) -> str:
    """Put status, schemes and scope into words (RFC 7628, 3.2.2); "" if there are none.

    Google says a number as the status, the standard a word as in RFC 6750.
    """
    told = json_object(challenge) if challenge else None
    if not told:
        return ""
    said = {
        _("status"): told.get("status"),
        _("schemes"): told.get("schemes"),
        _("scope"): told.get("scope"),
    }
    words = (f"{name} {_short(value)}" for name, value in said.items() if value)
    return f" ({', '.join(words)})" if any(said.values()) else ""


def _short(value: Any) -> str:
    return readable(str(value))[:LONGEST_VALUE]
