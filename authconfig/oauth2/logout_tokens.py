"""Logout tokens of the provider (OpenID Connect Back-Channel Logout 1.0, 2.6)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from authconfig.models import AuthenticationSettings
from authconfig.oauth2 import discovery
from authconfig.oauth2.adapter import LONGEST_SUBJECT, decoded
from authconfig.oauth2.faults import ProviderError, ProviderFault

EVENT = "http://schemas.openid.net/event/backchannel-logout"
REQUIRED = ["iss", "aud", "iat", "exp", "jti", "events"]
# Section 2.4 recommends the first; many providers say the second, or nothing.
TYPES = ("logout+jwt", "jwt", "application/logout+jwt", "")
# However long the provider lets its tokens live.
LONGEST_AGE = 10 * 60
LONGEST_ID = 500


@dataclass(frozen=True)
class LogoutToken:
    """Who is logged out: of `sid` the one session, else all of `subject`."""

    issuer: str
    token_id: str
    subject: str = ""
    sid: str = ""


def checked(token: str, rules: AuthenticationSettings) -> LogoutToken:
    """Return what the token says; raise ProviderError if it is not good for us."""
    config = discovery.configuration(rules.oauth2_well_known_url)
    claims = decoded(token, config, rules.oauth2_client_id, REQUIRED)
    _check(claims, jwt.get_unverified_header(token))
    return LogoutToken(
        claims["iss"], claims["jti"], claims.get("sub") or "", claims.get("sid") or ""
    )


def _check(claims: Mapping[str, Any], header: Mapping[str, Any]) -> None:
    for name, is_right in _checks(claims, header).items():
        if not is_right:
            raise ProviderError(ProviderFault.BAD_ID_TOKEN, name)


def _checks(claims: Mapping[str, Any], header: Mapping[str, Any]) -> dict[str, bool]:
    """An ID token is signed by the same keys for the same audience: it has a nonce."""
    events, subject, sid = (claims.get(name) for name in ("events", "sub", "sid"))
    return {
        "typ": str(header.get("typ", "")).lower() in TYPES,
        "events": isinstance(events, dict) and isinstance(events.get(EVENT), dict),
        "nonce": "nonce" not in claims,
        "iat": claims["iat"] > time.time() - LONGEST_AGE,
        "jti": _is_id(claims["jti"], LONGEST_ID),
        "sub": subject is None or _is_id(subject, LONGEST_SUBJECT),
        "sid": sid is None or _is_id(sid, LONGEST_ID),
        "sub or sid": bool(subject or sid),
    }


def _is_id(value: object, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest
