"""Whom a provider names as the one who has authorized this site."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from time import time
from typing import Any
from urllib.parse import urlsplit

from django.utils.crypto import constant_time_compare

from authconfig.network import readable
from authconfig.oauth2 import discovery
from authconfig.oauth2.discovery import WELL_KNOWN, Document
from authconfig.oauth2.faults import ProviderError
from verification.mail.oauth2.configuration import Configuration
from verification.mail.oauth2.endpoint import Tokens

CLAIMS = ("email", "preferred_username", "upn")
LEEWAY_SECONDS = 60


class OtherAnswerError(Exception):
    """The answer is not to what this site has asked; the words name what is wrong."""


@dataclass(frozen=True)
class Told:
    """Every name that the provider gives the account; none if it does not say."""

    names: tuple[str, ...] = ()

    def fits(self, mailbox: str) -> bool:
        return mailbox.casefold() in map(str.casefold, self.names)

    def account(self, mailbox: str) -> str:
        """Return the name to show: of several the one of the mailbox."""
        return mailbox if self.fits(mailbox) else next(iter(self.names), "")


def check_issuer(configuration: Configuration, said: str | None) -> None:
    """RFC 9207: an answer may name its issuer, who must be whom the site has asked."""
    if said and _origin(said) != _origin(configuration.authorize_url):
        raise OtherAnswerError(f"iss: {said[:200]}")


def account_told(configuration: Configuration, tokens: Tokens, nonce: str) -> Told:
    """Read the ID token, else ask UserInfo.

    Raises OtherAnswerError if the ID token was made for somebody else or another visit.
    """
    claims = _claims(configuration, tokens.id_token, nonce) if tokens.id_token else {}
    if names := _names(claims):
        return Told(names)
    return Told(_names(_user_info(configuration, tokens, claims)))


def _claims(configuration: Configuration, id_token: str, nonce: str) -> Document:
    """Core 1.0, 3.1.3.7: what came from the endpoint itself need not be signed."""
    claims = _payload(id_token)
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    is_late = not _is_later(claims.get("exp"), time() - LEEWAY_SECONDS)
    if configuration.client_id not in audiences or is_late:
        raise OtherAnswerError("ID token: aud or exp")
    if not constant_time_compare(str(claims.get("nonce", "")), nonce):
        raise OtherAnswerError("ID token: nonce")
    return claims


def _payload(id_token: str) -> Document:
    part = (*id_token.split("."), "")[1]
    try:
        claims = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise OtherAnswerError("ID token")
    return claims


def _is_later(moment: Any, than: float) -> bool:
    return isinstance(moment, (int, float)) and moment > than


def _names(claims: Document) -> tuple[str, ...]:
    found = (claims.get(name) for name in CLAIMS)
    names = (readable(name)[:254] for name in found if isinstance(name, str))
    return tuple(dict.fromkeys(filter(None, names)))


def _user_info(
    configuration: Configuration, tokens: Tokens, claims: Document
) -> Document:
    """Ask the provider that the endpoint belongs to; a failure tells nobody's name."""
    own = "{}://{}".format(*_origin(configuration.token_url))
    issuer = str(claims.get("iss") or own)
    if not discovery.is_safe(issuer, is_here=own.startswith("http:")):
        return {}
    bearer = f"Bearer {tokens.access_token}"
    try:
        found = discovery.fetched(issuer.rstrip("/") + WELL_KNOWN)
        url = found.get("userinfo_endpoint")
        if found["token_endpoint"] != configuration.token_url or not url:
            return {}
        told = discovery.object_in(discovery.answer_at(url, Authorization=bearer), url)
    except ProviderError:
        return {}
    is_other = claims.get("sub", told.get("sub")) != told.get("sub")
    return {} if is_other else told


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()
