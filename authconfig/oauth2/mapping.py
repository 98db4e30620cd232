"""Which PBX user a provider's claims name; pure: no request, database or clock."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from authconfig.names import pbx_name
from authconfig.oauth2.faults import ProviderError, ProviderFault

LONGEST_NAME = 254
EMAIL = "email"
# The claims of the ID token and of UserInfo: {"id_token": …, "userinfo": …}.
ProviderClaims = Mapping[str, Mapping[str, Any]]


class Domains(Protocol):
    """The part of the rules that the mapping reads."""

    @property
    def oauth2_upn_claim(self) -> str: ...
    @property
    def oauth2_domain(self) -> str: ...
    @property
    def pbx_domain(self) -> str: ...


def identity_of(claims: ProviderClaims) -> tuple[str, str]:
    return claims["id_token"]["iss"], claims["id_token"]["sub"]


def mapped_name(claims: ProviderClaims, rules: Domains) -> str:
    return pbx_name_of((claims["id_token"], claims["userinfo"]), rules)


def pbx_name_of(sources: Iterable[Mapping[str, Any]], rules: Domains) -> str:
    """Return the PBX user's name; raise ProviderError where the claims name nobody.

    The original's two examples: without a domain `user@example.com` is that user, and
    with the domain `example.com` it is `user`. The first source that has the claim
    decides alone: `email_verified` in another source may be about another address.
    """
    claim = rules.oauth2_upn_claim
    source = next((source for source in sources if claim in source), {})
    value = source.get(claim)
    if not isinstance(value, str) or not _is_plain(value):
        raise ProviderError(ProviderFault.NO_UPN, claim)
    # Some providers send the boolean as a word.
    if claim == EMAIL and source.get("email_verified") not in (True, "true"):
        raise ProviderError(ProviderFault.UNVERIFIED_EMAIL)
    return pbx_name(value, domains=(rules.oauth2_domain, rules.pbx_domain))


def _is_plain(value: str) -> bool:
    return (
        0 < len(value) <= LONGEST_NAME
        and value == value.strip()
        and not any(unicodedata.category(char).startswith("C") for char in value)
    )


def is_same_name(one: str, other: str) -> bool:
    """Compare without case, more strictly than the login form.

    To the provider “ﬁona” and “fiona” are two people; to the login form they are one.
    """
    return _lowered(one) == _lowered(other)


def _lowered(name: str) -> str:
    return unicodedata.normalize("NFC", name).lower()
