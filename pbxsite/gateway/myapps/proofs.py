"""How client and site prove to each other that they know the same secret.

The secret is a password: the user's, or the session's. Where a login goes through the
browser there is none, and two keys that are agreed upon for this one login make it.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pbxsite.gateway.myapps.rc4 import rc4

PREFIX = "innovaphoneAppClient"
# SEC 1, 2.3.3: an uncompressed point begins with it; the protocol leaves it out.
UNCOMPRESSED = b"\x04"


class Asked(NamedTuple):
    """What the two digests of a login are made of, beside its secret."""

    type: str
    domain: str
    username: str
    nonce: str
    challenge: str


def response_digest(asked: Asked, secret: str) -> str:
    """Return what the client answers, in lower-case hex."""
    names = (asked.type, asked.domain, asked.username)
    return _digest(*names, secret, asked.nonce, asked.challenge)


def result_digest(asked: Asked, secret: str, info: str) -> str:
    """Return what the site answers; `info` is the text as it is sent."""
    names = ("loginresult", asked.domain, asked.username)
    return _digest(*names, secret, asked.nonce, asked.challenge, info)


def app_digest(*parts: str) -> str:
    return hashlib.sha256(_joined(parts)).hexdigest()


def hidden(what: str, nonce: str, secret: str, text: str) -> str:
    """Return a part of the new session (`usr`, `pwd`) as the client expects it."""
    return rc4(_joined((PREFIX, what, nonce, secret)), text.encode()).hex()


def agree(key_share: str) -> tuple[str, str]:
    """Return our key share and the secret (RFC 5903); ValueError if theirs is none."""
    point, curve = UNCOMPRESSED + bytes.fromhex(key_share), ec.SECP256R1()
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
    ours = ec.generate_private_key(curve)
    secret = ours.exchange(ec.ECDH(), theirs)
    form = Encoding.X962, PublicFormat.UncompressedPoint
    return ours.public_key().public_bytes(*form)[1:].hex(), secret.hex()


def _digest(*parts: str) -> str:
    return app_digest(PREFIX, *parts)


def _joined(parts: tuple[str, ...]) -> bytes:
    return ":".join(parts).encode()
