"""How long logins are remembered."""

from __future__ import annotations

from authconfig.users import audit
from verification.approval.models import LoginSession


def forget_old() -> int:
    """Delete logins that are older than what the audit log tells of; count them."""
    since = audit.kept_since()
    if since is None:
        return 0
    return audit.forget(LoginSession.objects.over().filter(created_at__lt=since))
