"""What approved a login or a factor, what happens to factors, what can be guessed."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

# In the audit log: where a wrong password was entered outside of a login.
PASSWORD_CHANGE = "change of the password"  # noqa: S105

# What allauth's limit of failures counts by; each known address is a spot of its own.
PASSWORD_LIMIT = "{name}:{spot}"  # noqa: S105
CODE_LIMIT = "factor:{what}:{user}:{spot}"


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


class Guessed(TextChoices):
    """What a try guesses at, whoever tries; nobody guesses what a passkey signs."""

    PASSWORD = "password", _("Password")
    APP_CODE = "app_code", _("Code of the authenticator app")
    RECOVERY_CODE = "recovery_code", _("Recovery code")


class Source(TextChoices):
    """Where a try comes from; the tries of each source count for themselves."""

    ELSEWHERE = "elsewhere", _("from unknown addresses")
    KNOWN = "known", _("from known addresses")
    SESSION = "session", _("in the user's own sessions")
