"""TODO docstring of verification.sessions.signed_in.choices"""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

# Where a wrong password was entered that was no login.
PASSWORD_CHANGE = "change of the password"  # noqa: S105


class Approver(TextChoices):
    EMAIL = "email", _("E-mail link")
    SESSION = "session", _("Existing session")
    FACTOR = "factor", _("Passkey or one-time code")
