"""The two kinds, and what a client application chooses from."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Kind(TextChoices):
    MYAPPS = "myapps", "myApps"
    MYPBX = "mypbx", "myPBX"


class AsksBy(TextChoices):
    """How a client application learns who its visitor is."""

    FORWARD_AUTH = "forward_auth", _("Forward authentication")
    OPENID = "openid", _("OpenID Connect")
    BOTH = "both", _("Forward authentication and OpenID Connect")


class Icon(TextChoices):
    """A file of templates/icons/, which the tile of a client application shows."""

    APPS = "apps", _("Tiles")
    PHONE = "phone", _("Telephone")
    VOICEMAIL = "voicemail", _("Voicemail")
    DIRECTORY = "directory", _("Directory")
    CHAT = "chat", _("Chat")
    CALENDAR = "calendar", _("Calendar")
    CHART = "chart", _("Statistics")
    GEAR = "gear", _("Settings")
