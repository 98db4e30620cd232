"""A User-Agent in words in which people recognise their browser."""

from __future__ import annotations

from functools import lru_cache

from django.utils.translation import gettext
from ua_parser import parse


@lru_cache(maxsize=1024)
def _families(user_agent: str) -> tuple[str, str]:
    found = parse(user_agent)
    browser = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    return browser, system


def browser_text(user_agent: str) -> str:
    """Return "Firefox on Windows", or what is known of it."""
    browser, system = _families(user_agent)
    if browser and system:
        return gettext("%(browser)s on %(system)s") % {
            "browser": browser,
            "system": system,
        }
    return browser or system or gettext("unknown browser")
