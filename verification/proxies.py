"""Where the setting about our proxies does not fit a request."""

from __future__ import annotations

import logging
from functools import cache

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest

from authconfig.network import readable

logger = logging.getLogger(__name__)
HEADER = "X-Forwarded-For"
LONGEST_ENTRY = 60


class AddressUnknownError(SuspiciousOperation):
    """The page is a 400, and Django logs the words."""

    def __init__(self, request: HttpRequest) -> None:
        named = request.headers.get(HEADER, "")
        entries, trusted = named.split(",") if named else [], _trusted()
        words = [_unfit(len(entries))]
        if 0 < trusted <= len(entries):
            words.insert(0, _blame(entries[-trusted]))
        # The last entry can be nobody's but the proxy's that asks us.
        super().__init__(words[0] if trusted == 1 else " Or ".join(words))


def _trusted() -> int:
    count: int = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    return count


def _blame(entry: str) -> str:
    return (
        f"Your proxy wrote “{readable(entry)[:LONGEST_ENTRY]}” into {HEADER}, which is"
        " no IP address. Set the proxy up so that it appends the address that asked it"
        " (Squid: forwarded_for on)."
    )


def _unfit(entries: int) -> str:
    return (
        f"TRUSTED_PROXY_COUNT is {_trusted()}, which does not fit a request whose"
        f" {HEADER} has {entries} entries. Set it to the number of your proxies that"
        " append to it."
    )


@cache
def tell_of_silent_proxy() -> None:
    """Say it once: all visitors may seem to come from the proxy's own address."""
    logger.warning(
        "TRUSTED_PROXY_COUNT is set, but a request came without %s: it counts as from"
        " the address that it came from.",
        HEADER,
    )
