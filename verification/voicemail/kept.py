"""Recordings that fit into no mail: their users hear them here, after a login."""

from __future__ import annotations

import logging
import os
from base64 import b64decode, b64encode
from datetime import timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.files.base import ContentFile
from django.db.models import QuerySet, Sum
from django.utils import timezone

from authconfig.users.models import PbxUser
from verification.voicemail import recordings
from verification.voicemail.models import Call, KeptRecording, Voicemail

logger = logging.getLogger(__name__)
KEPT_FOR = timedelta(days=14)
KEY_BITS, NONCE_BYTES, TAG_BYTES = 256, 12, 16
SUFFIX = ".kept"
# A user has one recording, or as many as fit into one share of the room.
SHARES = 4
FACTS = [field.name for field in Call._meta.local_fields]


class NoRoomError(Exception):
    """What is kept fills VOICEMAIL_KEPT_MB; users and time make room."""


def sealed(voicemail: Voicemail) -> KeptRecording:
    """Store the recording once more, encrypted, and return its row, not saved yet.

    Raises OSError, or NoRoomError.
    """
    content = recordings.read(voicemail.recording)
    size = len(content) + NONCE_BYTES + TAG_BYTES
    user = voicemail.mail.user
    assert user
    _check_room(user, size)
    key, nonce = AESGCM.generate_key(KEY_BITS), os.urandom(NONCE_BYTES)
    file = ContentFile(nonce + AESGCM(key).encrypt(nonce, content, None))
    facts: dict[str, Any] = {name: getattr(voicemail, name) for name in FACTS}
    return KeptRecording(
        user=user,
        file=recordings.keep(file, SUFFIX),
        size=size,
        key=b64encode(key).decode(),
        kept_until=timezone.now() + KEPT_FOR,
        **facts,
    )


def _check_room(user: PbxUser, size: int) -> None:
    """Whoever calls one user again and again takes a share of the room, not all."""
    most = settings.VOICEMAIL_KEPT_BYTES
    theirs = _bytes_of(KeptRecording.objects.filter(user=user))
    if bytes_kept() + size > most or (theirs and theirs + size > most // SHARES):
        raise NoRoomError


def read(kept: KeptRecording) -> bytes | None:
    """Return the recording; None if its file is gone or no key opens it."""
    try:
        content = recordings.read(kept.file)
        cipher = AESGCM(b64decode(kept.key))
        return cipher.decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], None)
    except (OSError, ValueError, InvalidTag) as error:
        logger.error("%s cannot be read (%s)", kept, type(error).__name__)
        return None


def present() -> QuerySet[KeptRecording]:
    return KeptRecording.objects.filter(kept_until__gt=timezone.now())


def bytes_kept() -> int:
    return _bytes_of(KeptRecording.objects.all())


def _bytes_of(rows: QuerySet[KeptRecording]) -> int:
    return int(rows.aggregate(all=Sum("size"))["all"] or 0)


def delete(kept: KeptRecording) -> None:
    """The row goes first, and with it the key: nobody reads a file that is left."""
    kept.delete()
    recordings.remove(kept.file)


def sweep() -> int:
    over = list(KeptRecording.objects.filter(kept_until__lte=timezone.now()))
    for kept in over:
        delete(kept)
    return len(over)
