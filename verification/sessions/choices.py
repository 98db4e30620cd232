"""What a login was approved by."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

# In the audit log: where a wrong password was entered outside of a login.
PASSWORD_CHANGE = "change of the password"  # noqa: S105


class Approver(TextChoices):
    EMAIL = "email", _("E-mail link")
    SESSION = "session", _("Existing session")
    FACTOR = "factor", _("Passkey or one-time code")
