"""The rules of logins as an application of Django's."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AuthConfigConfig(AppConfig):
    name = "authconfig"
    verbose_name = _("Authentication")
