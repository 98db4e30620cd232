"""The login as an application of Django, with the table of rescue links."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LoginConfig(AppConfig):
    name = "verification.login"
    label = "login"
    verbose_name = _("Login")

    def ready(self) -> None:
        # Its receivers have to hear of sessions that end, in commands as well.
        import_module("verification.login.rescue")
