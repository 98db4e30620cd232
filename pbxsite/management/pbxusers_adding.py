"""`manage.py pbxusers add`: one user."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from authconfig.choices import Event
from authconfig.users import audit, changes
from authconfig.users.models import PbxUser

FACTS = ("email", "long_name", "number")


def add(password: str | None, *, name: str, admin: bool, **options: Any) -> PbxUser:
    """Add the user, without a PBX password if it is None; ValidationError if not."""
    facts = {field: options[field] for field in FACTS}
    user = PbxUser(name=name, is_staff=admin, is_superuser=admin, **facts)
    with transaction.atomic():
        changes.add(user, password)
        audit.record(Event.USER_CHANGED, user=user, detail="added")
    return user
