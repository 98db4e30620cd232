"""Which PBX user a provider's claims name; pure: no request, database or clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from authconfig.names import pbx_name
from authconfig.oidc.faults import Fault, OidcError

LONGEST_NAME = 254
EMAIL = "email"


class Domains(Protocol):
    """What the mapping needs to know of the settings."""

    @property
    def oauth2_upn_claim(self) -> str: ...
    @property
    def oauth2_domain(self) -> str: ...
    @property
    def pbx_domain(self) -> str: ...


def pbx_name_of(claims: Mapping[str, Any], rules: Domains) -> str:
    """Return the PBX user's name; raise OidcError where the claims name nobody.

    The original's two examples: without a domain `user@example.com` is that user,
    with the domain `example.com` it is `user`.
    """
    claim = rules.oauth2_upn_claim
    value = claims.get(claim)
    if not isinstance(value, str) or not 0 < len(value.strip()) <= LONGEST_NAME:
        raise OidcError(Fault.NO_UPN, claim)
    if claim == EMAIL and claims.get("email_verified") is not True:
        raise OidcError(Fault.UNVERIFIED_EMAIL)
    return pbx_name(value, domains=(rules.oauth2_domain, rules.pbx_domain))
