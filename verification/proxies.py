"""Where the setting about our proxies does not fit a request."""

from __future__ import annotations

import logging
from functools import cache

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest

logger = logging.getLogger(__name__)
HEADER = "X-Forwarded-For"


class AddressUnknownError(SuspiciousOperation):
    """The page is a 400, and Django logs the words."""

    def __init__(self, request: HttpRequest) -> None:
        named = request.headers.get(HEADER, "")
        count = len(named.split(",")) if named else 0
        super().__init__(
            f"TRUSTED_PROXY_COUNT is {settings.ALLAUTH_TRUSTED_PROXY_COUNT}, which does"
            f" not fit a request whose {HEADER} has {count} entries. Set it to the"
            " number of your proxies that append to it."
        )


@cache
def tell_of_silent_proxy() -> None:
    """Say it once: all visitors may seem to come from the proxy's own address."""
    logger.warning(
        "TRUSTED_PROXY_COUNT is set, but a request came without %s: it counts as from"
        " the address that it came from.",
        HEADER,
    )
