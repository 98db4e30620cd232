"""What this site signs for a token endpoint (RFC 7521, RFC 7523)."""

from __future__ import annotations

import base64
import time
import uuid
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from verification.mail.oauth2.configuration import Configuration
from verification.mail.oauth2.faults import TokenError, TokenFault

# Either clock may be wrong by a minute: an assertion of the future is refused.
LEEWAY_SECONDS = 60
LIFETIME_SECONDS = 300


def grant_assertion(configuration: Configuration) -> str:
    """Return the assertion that is the grant: who asks, and for which mailbox."""
    claims = {
        "iss": configuration.issuer or configuration.client_id,
        "sub": configuration.subject or configuration.username,
    }
    if configuration.has_scope_in_assertion:
        claims["scope"] = configuration.scope
    return _signed(configuration, claims)


def client_assertion(configuration: Configuration) -> str:
    """Return what shows the client instead of a secret (OpenID Connect Core 1.0, 9)."""
    client = configuration.client_id
    return _signed(configuration, {"iss": client, "sub": client})


def _signed(configuration: Configuration, claims: dict[str, str]) -> str:
    now = int(time.time()) - LEEWAY_SECONDS
    times = {"iat": now, "nbf": now, "exp": now + LEEWAY_SECONDS + LIFETIME_SECONDS}
    whole: dict[str, Any] = claims | times
    whole |= {"aud": configuration.token_url, "jti": str(uuid.uuid4())}
    try:
        return jwt.encode(
            whole,
            configuration.private_key,
            algorithm=configuration.algorithm,
            headers=_headers(configuration),
        )
    except (jwt.PyJWTError, ValueError, TypeError, NotImplementedError) as error:
        # The library's words could repeat the key.
        raise TokenError(TokenFault.BAD_KEY, type(error).__name__) from None


def _headers(configuration: Configuration) -> dict[str, str]:
    headers = {"kid": configuration.key_id} if configuration.key_id else {}
    if configuration.certificate:
        pem = configuration.certificate.encode("ascii", "ignore")
        digest = x509.load_pem_x509_certificate(pem).fingerprint(SHA256())
        # RFC 7515, 4.1.8; Entra ID finds the certificate by it.
        headers["x5t#S256"] = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return headers
