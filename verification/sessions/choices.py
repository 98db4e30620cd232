"""What a login or a factor was approved by, and what happens to factors."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

# In the audit log: where a wrong password was entered outside of a login.
PASSWORD_CHANGE = "change of the password"  # noqa: S105


class Approver(TextChoices):
    EMAIL = "email", _("E-mail link")
    SESSION = "session", _("Existing session")
    FACTOR = "factor", _("Passkey or one-time code")
    # Such a session began while two-factor was off. It lets a login in, but whatever
    # comes of it is as little approved as the session itself.
    UNAPPROVED = "unapproved", _("Session that nobody approved")


class FactorApprover(TextChoices):
    """What makes a factor count: an approval of the login, or the server's owner."""

    EMAIL = "email", _("E-mail link")
    SESSION = "session", _("Existing session")
    FACTOR = "factor", _("Passkey or one-time code")
    RESCUE = "rescue", _("Rescue link")


class FactorChange(TextChoices):
    ADDED = "added", _("Added")
    REMOVED = "removed", _("Removed")
    RENEWED = "renewed", _("Renewed")
