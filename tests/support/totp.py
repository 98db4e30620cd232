"""An authenticator app."""

from __future__ import annotations

import base64
import hmac
import struct
import time

from allauth.mfa.models import Authenticator
from django.utils import timezone

from verification.sessions.choices import FactorApprover
from verification.sessions.models import FactorBinding


def totp(secret: str) -> str:
    """Return the code of this half minute as an app would (RFC 6238)."""
    key = base64.b32decode(secret)
    digest = hmac.digest(key, struct.pack(">Q", int(time.time()) // 30), "sha1")
    start = digest[-1] & 15
    number = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFF_FFFF
    return f"{number % 1_000_000:06d}"


def approve_factors() -> None:
    """Let every factor count, as if an approved login had added it."""
    approved = {"approver": FactorApprover.EMAIL, "approved_at": timezone.now()}
    for factor in Authenticator.objects.all():
        FactorBinding.objects.update_or_create(factor=factor, defaults=approved)
