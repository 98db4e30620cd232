"""The private key that signs the site's JWTs: made readable, and judged."""

from __future__ import annotations

import json
import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_pem_x509_certificate
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from authconfig.choices import JwtAlgorithm

BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----(.*?)-----END \1-----", re.DOTALL)
LINE = 64
# The curve of each algorithm (RFC 7518, 3.4).
CURVES = {
    JwtAlgorithm.ES256: "secp256r1",
    JwtAlgorithm.ES384: "secp384r1",
    JwtAlgorithm.ES512: "secp521r1",
}
SHORTEST_RSA = 2048
UNFIT = _(
    "This key cannot sign by the chosen algorithm: RS and PS need an RSA key, ES an"
    " elliptic curve of the same number (ES256: P-256)."
)
# The names that Google's key file gives to the settings.
GOOGLE_NAMES = {
    "private_key": "smtp_oauth2_private_key",
    "private_key_id": "smtp_oauth2_key_id",
    "client_email": "smtp_oauth2_issuer",
}


def from_key_file(text: str) -> dict[str, str]:
    """Return the settings that Google's key file (JSON) holds; {} if it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(found, dict) or "private_key" not in found:
        return {}
    return {name: str(found.get(key, "")) for key, name in GOOGLE_NAMES.items()}


def as_pem(text: str) -> str:
    r"""Put the lines back that an input of one line, or JSON (\n), has taken away."""
    found = BLOCK.search(text.replace("\\n", "\n"))
    if not found:
        return text.strip()
    label, body = found[1], "".join(found[2].split())
    # An older form has headers, which say how it is encrypted.
    if "Proc-Type" in found[2]:
        return found[0].strip()
    lines = (body[start : start + LINE] for start in range(0, len(body), LINE))
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"])


def check_private_key(pem: str, algorithm: JwtAlgorithm) -> None:
    key = _loaded(pem)
    if algorithm in CURVES:
        if not (
            isinstance(key, EllipticCurvePrivateKey)
            and key.curve.name == CURVES[algorithm]
        ):
            raise ValidationError(UNFIT, code="unfit")
    elif not isinstance(key, RSAPrivateKey):
        raise ValidationError(UNFIT, code="unfit")
    elif key.key_size < SHORTEST_RSA:
        raise ValidationError(
            _("The key is too short. Make one of 2048 bits or more."), code="short"
        )


def check_certificate(pem: str, private_key: str) -> None:
    """The certificate must be of this very key."""
    public = load_pem_x509_certificate(pem.encode()).public_key()
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if public.public_bytes(*form) != _loaded(private_key).public_key().public_bytes(
        *form
    ):
        raise ValidationError(
            _("This certificate is of another key. Paste the one of the private key."),
            code="another",
        )


def _loaded(pem: str) -> PrivateKeyTypes:
    if "ENCRYPTED" in pem:
        raise ValidationError(
            _(
                "The key has a passphrase, which the site does not know. Paste it"
                " without: openssl pkey -in key.pem"
            ),
            code="encrypted",
        )
    try:
        return load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValidationError(
            _("This is no private key. Paste it as PEM: -----BEGIN PRIVATE KEY----- …"),
            code="key",
        ) from error
