"""A User-Agent in words in which people recognise their browser."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from django.utils.translation import gettext
from ua_parser import parse

# Stands before the name of a myApps client, which is no browser.
CLIENT_MARK = "myApps client: "
# A client calls itself what it likes: not everything that a stranger could write.
CLIENT_NAME_SHOWN = 60


@lru_cache(maxsize=1024)
def _families(user_agent: str) -> tuple[str, str]:
    found = parse(user_agent)
    browser = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    return browser, system


def only_visible(text: str) -> str:
    kept = (" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    return "".join(kept)


def of_client(name: str) -> str:
    """Return what is kept in the place of a User-Agent for a myApps client.

    `name` is what it calls itself: only a line of what can be seen is taken.
    """
    return f"{CLIENT_MARK}{' '.join(only_visible(name).split())}"[:200]


def own_name_of_client(user_agent: str) -> str:
    return user_agent.removeprefix(CLIENT_MARK)


def browser_text(user_agent: str) -> str:
    """Return "Firefox on Windows", or what is known of it."""
    if user_agent.startswith(CLIENT_MARK):
        name = own_name_of_client(user_agent)[:CLIENT_NAME_SHOWN]
        return gettext("myApps client “%(name)s”") % {"name": name}
    browser, system = _families(user_agent)
    if browser and system:
        return gettext("%(browser)s on %(system)s") % {
            "browser": browser,
            "system": system,
        }
    return browser or system or gettext("unknown browser")
