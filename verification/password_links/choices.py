"""The words of links for passwords."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Purpose(TextChoices):
    INVITATION = "invitation", _("Invitation")
    FORGOTTEN = "forgotten", _("Forgotten password")


class LinkEnding(TextChoices):
    """Why a link works no longer, apart from its age."""

    USED = "used", _("Used")
    NEWER = "newer", _("A newer link took its place")
    VOID = "void", _("The user or the settings changed")


class Obstacle(TextChoices):
    """Why somebody was not invited."""

    NO_ADDRESS = "no_address", _("no e-mail address")
    INACTIVE = "inactive", _("inactive")
    ABOVE = "above", _("for administrators with all rights alone")
