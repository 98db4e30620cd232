"""The words of the tokens."""

from __future__ import annotations

from enum import StrEnum


class ClientShows(StrEnum):
    """How this site shows at the token endpoint which client it is."""

    POST = "post"
    BASIC = "basic"
    KEY = "private_key_jwt"
    NOTHING = "nothing"
