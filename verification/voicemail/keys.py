"""The key by which the PBX posts voicemails: shown once, kept as a digest."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from authconfig.choices import Event, Origin
from authconfig.users import audit
from authconfig.users.models import PbxUser
from verification.voicemail.models import VoicemailKey

# People and secret scanners recognise the key by it.
PREFIX = "pbxvm_"
USE_NOTED_EVERY = timedelta(minutes=1)


def current_key() -> VoicemailKey | None:
    return VoicemailKey.objects.first()


def make(*, actor: PbxUser | None, origin: Origin = audit.NOWHERE) -> str:
    """Return a new key, which nobody can read again; an older key ends with this."""
    key = PREFIX + secrets.token_urlsafe(32)
    values = {"digest": _digest(key), "made_at": timezone.now(), "last_used_at": None}
    with transaction.atomic():
        VoicemailKey.objects.update_or_create(pk=1, defaults=values)
        audit.record(Event.VOICEMAIL_KEY_MADE, user=None, actor=actor, origin=origin)
    return key


def revoke(*, actor: PbxUser | None, origin: Origin = audit.NOWHERE) -> bool:
    with transaction.atomic():
        deleted, _by_model = VoicemailKey.objects.all().delete()
        if deleted:
            audit.record(
                Event.VOICEMAIL_KEY_REVOKED, user=None, actor=actor, origin=origin
            )
    return bool(deleted)


def shown_in(request: HttpRequest) -> str:
    """Return the bearer token of a request, "" if it has none."""
    scheme, _blank, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def is_right(key: str) -> bool:
    """Compare with the present key, in a time that gives nothing away; note the use."""
    present = current_key()
    stored = present.digest if present else ""
    if not constant_time_compare(_digest(key), stored):
        return False
    _note_use()
    return True


def _note_use() -> None:
    now = timezone.now()
    is_old = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_NOTED_EVERY)
    VoicemailKey.objects.filter(is_old).update(last_used_at=now)


def _digest(key: str) -> str:
    """A plain digest will do: nobody guesses 256 random bits, however fast it is."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
