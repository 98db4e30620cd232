"""What the protocol computes: digests, the shared secret, and RC4."""

from __future__ import annotations

import ctypes
import ctypes.util
import json
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, Hash

APPLICATION = "innovaphoneAppClient"
# OpenSSL's RC4_KEY: two counters and the table, each an unsigned int.
RC4_KEY_BYTES = (2 + 256) * ctypes.sizeof(ctypes.c_uint)
CURVE = ec.SECP256R1()


def sha256(*parts: str) -> str:
    """Return the digest of the parts with colons between, as lower-case hex."""
    digest = Hash(SHA256())
    digest.update(":".join(parts).encode())
    return digest.finalize().hex()


def response(
    type_: str, domain: str, name: str, password: str, nonce: str, challenge: str
) -> str:
    return sha256(APPLICATION, type_, domain, name, password, nonce, challenge)


def result(
    domain: str, name: str, password: str, nonce: str, challenge: str, info: object
) -> str:
    parts = domain, name, password, nonce, challenge, as_sent(info)
    return sha256(APPLICATION, "loginresult", *parts)


def app_result(answer: dict[str, Any], challenge: str, password: str) -> str:
    """Return the digest that an app service expects in an AppGetLoginResult."""
    named = [answer[name] for name in ("app", "domain", "sip", "guid", "dn")]
    return sha256(*named, as_sent(answer["info"]), challenge, password)


def as_sent(value: object) -> str:
    """Write JSON as JSON.stringify does."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class KeyPair:
    """One side of the agreement that stands in for a common password with OAuth2."""

    def __init__(self) -> None:
        self._private = ec.generate_private_key(CURVE)

    @property
    def share(self) -> str:
        point = self._private.public_key().public_numbers()
        return f"{point.x:064x}{point.y:064x}"

    def secret(self, share: str) -> str:
        """Return the shared secret; ValueError if the share is no point of P-256."""
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(
            CURVE, b"\x04" + bytes.fromhex(share)
        )
        return self._private.exchange(ec.ECDH(), theirs).hex()


def session_key(what: str, nonce: str, password: str) -> str:
    """Return the key that hides the session's "usr" or "pwd"."""
    return ":".join((APPLICATION, what, nonce, password))


def rc4(key: str, data: bytes) -> bytes:
    library, secret = _openssl(), key.encode()
    state = ctypes.create_string_buffer(RC4_KEY_BYTES)
    library.RC4_set_key(state, len(secret), secret)
    out = ctypes.create_string_buffer(len(data))
    library.RC4(state, ctypes.c_size_t(len(data)), data, out)
    return out.raw


@cache
def _openssl() -> ctypes.CDLL:
    """`cryptography` has RC4 as well, but not with keys as long as these."""
    found = ctypes.util.find_library("crypto")
    assert found, "OpenSSL's libcrypto is not installed"
    return ctypes.CDLL(found)
