"""The keys that sign ID tokens: made when needed, encrypted in the database."""

from __future__ import annotations

from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from pbxsite.gateway.openid.models import SigningKey

# NIST SP 800-57 Part 1: good beyond 2030.
BITS = 3072
# An ID token lives for minutes; at a log-out clients show one that is hours old.
PUBLISHED_AFTERWARDS_TTL = timedelta(days=1)


def published() -> QuerySet[SigningKey]:
    """Return the key that signs, made if there is none, and older ones not yet over."""
    if not SigningKey.objects.filter(is_current=True).exists():
        _make_first()
    still = Q(is_current=True) | Q(over_at__gt=timezone.now())
    return SigningKey.objects.filter(still).order_by("-made_at")


def rotate(*, leaked: bool = False) -> SigningKey:
    """Sign with a new key from now on; a key that leaked is published no more."""
    pem, now = new_pem(), timezone.now()
    over_at = now if leaked else now + PUBLISHED_AFTERWARDS_TTL
    with transaction.atomic():
        if leaked:
            SigningKey.objects.filter(over_at__gt=now).update(over_at=now)
        old = SigningKey.objects.filter(is_current=True)
        old.update(is_current=False, over_at=over_at)
        return SigningKey.objects.create(pem=pem)


def _make_first() -> None:
    """Make a key, unless another process makes one at the same moment."""
    pem = new_pem()
    try:
        with transaction.atomic():
            SigningKey.objects.create(pem=pem)
    except IntegrityError:
        return


def new_pem() -> str:
    key = generate_private_key(public_exponent=65537, key_size=BITS)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()
