"""The key by which the PBX posts voicemails: shown once, kept as a digest."""

from __future__ import annotations

from django.db import transaction

from authconfig.choices import Event, Origin
from authconfig.users import audit
from authconfig.users.bearer_keys import shown_in as shown_in
from authconfig.users.models import PbxUser
from verification.voicemail.models import VoicemailKey

PREFIX = "pbxvm_"


def current_key() -> VoicemailKey | None:
    return VoicemailKey.current()


@transaction.atomic
def make(*, actor: PbxUser | None, origin: Origin = audit.NOWHERE) -> str:
    """Return a new key, which nobody can read again; an older key ends with this."""
    key = VoicemailKey.replace(PREFIX)
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


def is_right(key: str) -> bool:
    return VoicemailKey.is_right(key)
