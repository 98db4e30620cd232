"""What a request for tokens may say (RFC 6749, 4.1.3 and 6; RFC 7636, 4.5).

`grant_type` alone chooses the grant. What belongs to another one is refused, not
ignored: whoever reads it on the way would mix the two.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from urllib.parse import urlencode

from allauth.idp.oidc.models import Client as RegisteredClient
from django.http import HttpRequest, QueryDict

from pbxsite.gateway.openid.endpoints.refusals import INVALID_REQUEST, Refusal
from pbxsite.gateway.openid.models import OpenIdClient

CODE: str = RegisteredClient.GrantType.AUTHORIZATION_CODE.value
REFRESH: str = RegisteredClient.GrantType.REFRESH_TOKEN.value
# What each grant is asked for by; the first of them is what it stands on.
OWN = {CODE: ("code", "redirect_uri", "code_verifier"), REFRESH: ("refresh_token",)}
REQUIRED = {CODE: ("code", "redirect_uri"), REFRESH: ("refresh_token",)}
# What belongs to grants and extensions that are not offered here.
NOT_OFFERED = (
    "actor_token",
    "assertion",
    "auth_req_id",
    "device_code",
    "password",
    "resource",
    "subject_token",
    "username",
)
# RFC 6749, 3.3: it belongs to the endpoint. Clients send it with a code as well, whose
# scope is known.
SCOPE = "scope"


@dataclass(frozen=True)
class TokenRequest:
    """`words` holds what the grant is asked for by, and nothing else."""

    grant_type: str
    words: dict[str, str]

    @property
    def is_code(self) -> bool:
        return self.grant_type == CODE

    @property
    def basis(self) -> str:
        """Return the code or the refresh token."""
        return self.words[OWN[self.grant_type][0]]


def read(request: HttpRequest, client: OpenIdClient) -> TokenRequest:
    given = {name: str(value) for name, value in request.POST.items() if value}
    asked = TokenRequest(_grant_type(given), {})
    own = OWN[asked.grant_type]
    _check_foreign(given, own)
    for name in REQUIRED[asked.grant_type]:
        if name not in given:
            raise Refusal(INVALID_REQUEST, f"{name} is missing: send it")
    if client.is_public and not asked.is_code:
        words = "a public client has no refresh token: send the browser again"
        raise Refusal("unauthorized_client", words)
    taken = own if asked.is_code else (*own, SCOPE)
    words_of_grant = {name: given[name] for name in taken if name in given}
    return TokenRequest(asked.grant_type, words_of_grant)


def _grant_type(given: dict[str, str]) -> str:
    grant_type = given.get("grant_type", "")
    if not grant_type:
        raise Refusal(INVALID_REQUEST, "grant_type is missing: send it")
    if grant_type not in OWN:
        words = f"grant_type has to be {' or '.join(OWN)}"
        raise Refusal("unsupported_grant_type", words)
    return grant_type


def _check_foreign(given: dict[str, str], own: tuple[str, ...]) -> None:
    every = {*NOT_OFFERED, *(name for names in OWN.values() for name in names)}
    for name in sorted(every - set(own)):
        if name in given:
            words = f"{name} does not belong to this grant_type: leave it out"
            raise Refusal(INVALID_REQUEST, words)


def as_read(
    request: HttpRequest, client: OpenIdClient, asked: TokenRequest
) -> HttpRequest:
    """Return the request for allauth, with nothing that was not checked."""
    words = {"grant_type": asked.grant_type, "client_id": client.client_id}
    secret = request.POST.get("client_secret", "")
    if secret:
        words["client_secret"] = secret
    checked = copy(request)
    checked.POST = QueryDict(urlencode(words | asked.words))
    return checked
