"""The key that the provider shows: made here, shown once, kept as a digest."""

from __future__ import annotations

from django.db import transaction

from authconfig.choices import Event, Origin
from authconfig.sync.models import ScimKey
from authconfig.users import audit
from authconfig.users.models import PbxUser

PREFIX = "pbxscim_"


@transaction.atomic
def make(*, actor: PbxUser | None, origin: Origin = audit.NOWHERE) -> str:
    """Return a new key, which nobody can read again; an older key ends with this."""
    key = ScimKey.replace(PREFIX)
    audit.record(Event.SCIM_KEY_MADE, user=None, actor=actor, origin=origin)
    return key


@transaction.atomic
def revoke(*, actor: PbxUser | None, origin: Origin = audit.NOWHERE) -> bool:
    deleted, _by_model = ScimKey.objects.all().delete()
    if deleted:
        audit.record(Event.SCIM_KEY_REVOKED, user=None, actor=actor, origin=origin)
    return bool(deleted)
