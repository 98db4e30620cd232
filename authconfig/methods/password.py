"""The PBX password."""

from __future__ import annotations

from authconfig.names import name_key
from authconfig.users.models import PbxUser


def check(name: str, password: str) -> PbxUser | None:
    """Return the active user who has this password; every answer costs one hash."""
    user = PbxUser.objects.filter(name_key=name_key(name)).first()
    if user is None or not user.has_usable_password():
        PbxUser().set_password(password)
        return None
    return user if user.check_password(password) and user.is_active else None
