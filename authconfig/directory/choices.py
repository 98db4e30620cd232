"""The stages of checking a Windows password, in their order."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class NetlogonStage(TextChoices):
    FIND = "find", _("Find the domain controllers")
    CONNECT = "connect", _("Connect")
    TLS = "tls", _("Encrypt (TLS)")
    SERVICE = "service", _("Log in with the service account")
    SEARCH = "search", _("Search for the user")
    PASSWORD = "password", _("Check the user's password")
    GROUP = "group", _("Check the required group")
