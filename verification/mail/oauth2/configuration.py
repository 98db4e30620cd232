"""What a token is asked for with: the settings' own, or those of a trial."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from urllib.parse import parse_qsl, urlsplit

from django.utils.crypto import salted_hmac

from authconfig.choices import OAuth2Grant


class ClientShows(StrEnum):
    """How this site shows at the token endpoint which client it is."""

    POST = "post"
    BASIC = "basic"
    KEY = "private_key_jwt"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Configuration:
    grant: OAuth2Grant
    client_shows: ClientShows
    token_url: str
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    scope: str = ""
    # A query string, for what only this provider wants to know.
    parameters: str = ""
    # The mailbox that the mails leave by, and the server with what it is trusted by.
    username: str = ""
    server: str = ""
    resource_owner: str = ""
    resource_owner_password: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    key_id: str = ""
    algorithm: str = "RS256"
    certificate: str = ""
    issuer: str = ""
    subject: str = ""
    # Google wants the scope inside the assertion, RFC 7521 beside it.
    has_scope_in_assertion: bool = False
    authorize_url: str = ""

    @cached_property
    def key(self) -> str:
        """Return a digest of what a token is for; a new secret is for the same."""
        return _digest(
            *(self.grant.value, self.authorize_url, self.token_url),
            *(self.client_id, self.scope, self.parameters, self.username),
            *(self.resource_owner, self.issuer, self.subject, self.server),
        )

    @cached_property
    def proof(self) -> str:
        """Return a keyed digest of all values: what failed with some may do now."""
        return _digest(*(str(value) for value in asdict(self).values()))

    @property
    def secrets(self) -> tuple[str, ...]:
        own = (self.client_secret, self.resource_owner_password, self.private_key)
        return tuple(secret for secret in own if secret)

    @property
    def provider(self) -> str:
        return urlsplit(self.token_url).netloc.rpartition("@")[2]

    @property
    def further(self) -> dict[str, str]:
        return dict(parse_qsl(self.parameters.lstrip("?&"), keep_blank_values=True))

    def packed(self) -> str:
        """Return all of it as text, for a column that is encrypted."""
        return json.dumps(asdict(self))


def unpacked(text: str) -> Configuration:
    values = json.loads(text)
    values["grant"] = OAuth2Grant(values["grant"])
    values["client_shows"] = ClientShows(values["client_shows"])
    return Configuration(**values)


def _digest(*values: str) -> str:
    keyed = salted_hmac("verification.mail.oauth2", repr(values), algorithm="sha256")
    return keyed.hexdigest()
