"""Checking the provider's tokens and claims (OpenID Connect Core 1.0, 3.1.3.7)."""

from __future__ import annotations

from typing import Any

import jwt
from django.utils.crypto import constant_time_compare

from authconfig.oauth2 import discovery
from authconfig.oauth2.discovery import Document
from authconfig.oauth2.faults import ProviderError, ProviderFault
from authconfig.oauth2.http import fetch_json

# Signatures alone: others know the key of a MAC, and "none" proves nothing.
ALGORITHMS = [
    *("RS256", "RS384", "RS512"),
    *("PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
]
REQUIRED = ["iss", "sub", "aud", "exp", "iat"]
LEEWAY_SECONDS = 60
LONGEST_SUBJECT = 255
Claims = dict[str, Any]


def claims_of(id_token: str, config: Document, client_id: str, nonce: str) -> Claims:
    try:
        claims: Claims = jwt.decode(
            id_token,
            # A key that names no algorithm allows every one of its type.
            _key_for(id_token, config["jwks_uri"]).key,
            algorithms=ALGORITHMS,
            issuer=config["issuer"],
            audience=client_id,
            leeway=LEEWAY_SECONDS,
            options={"require": REQUIRED},
        )
    except jwt.PyJWTError as error:
        words = f"{type(error).__name__}: {error}"
        raise ProviderError(ProviderFault.BAD_ID_TOKEN, words[:200]) from error
    _check_party(claims, client_id)
    if not constant_time_compare(str(claims.get("nonce", "")), nonce):
        raise ProviderError(ProviderFault.BAD_ID_TOKEN, "nonce")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise ProviderError(ProviderFault.BAD_ID_TOKEN, "sub")
    return claims


def _check_party(claims: Claims, client_id: str) -> None:
    """A token for several audiences must have been made for us."""
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    party = claims.get("azp", None if several else client_id)
    if party != client_id:
        raise ProviderError(ProviderFault.BAD_ID_TOKEN, "azp")


def _key_for(id_token: str, jwks_uri: str) -> jwt.PyJWK:
    kid = jwt.get_unverified_header(id_token).get("kid")
    for keys in (discovery.key_set, discovery.newer_key_set):
        if key := _pick(keys(jwks_uri), kid):
            return key
    raise ProviderError(
        ProviderFault.BAD_ID_TOKEN, "its key is not one of the provider's"
    )


def signing_keys(found: Document) -> list[jwt.PyJWK]:
    try:
        keys = jwt.PyJWKSet.from_dict(found).keys
    except (
        jwt.PyJWTError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        raise ProviderError(ProviderFault.NO_KEYS, str(error)[:200]) from error
    return [
        key
        for key in keys
        if key.public_key_use in (None, "sig") and key.algorithm_name in ALGORITHMS
    ]


def _pick(found: Document, kid: str | None) -> jwt.PyJWK | None:
    signing = signing_keys(found)
    if kid is None:
        return signing[0] if len(signing) == 1 else None
    return next((key for key in signing if key.key_id == kid), None)


def user_info(config: Document, access_token: str, subject: str) -> Claims:
    endpoint = config.get("userinfo_endpoint")
    if not endpoint:
        return {}
    found = fetch_json(endpoint, Authorization=f"Bearer {access_token}")
    if found.get("sub") != subject:
        raise ProviderError(ProviderFault.OTHER_SUBJECT)
    return found
