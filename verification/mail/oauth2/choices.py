"""The words of the tokens."""

from __future__ import annotations

from enum import StrEnum


class Grant(StrEnum):
    """What this site shows for a token (RFC 6749, 1.3; RFC 7523)."""

    AUTHORIZATION_CODE = "authorization_code"
    PASSWORD = "password"  # noqa: S105  # the name of a grant
    CLIENT_CREDENTIALS = "client_credentials"
    JWT_BEARER = "jwt_bearer"


class ClientShows(StrEnum):
    """How this site shows at the token endpoint which client it is."""

    POST = "post"
    BASIC = "basic"
    KEY = "private_key_jwt"
    NOTHING = "nothing"
