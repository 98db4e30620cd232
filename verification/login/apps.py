"""Logging in as an application, with a table of its own."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LoginConfig(AppConfig):
    name = "verification.login"
    label = "login"
    verbose_name = _("Login")

    def ready(self) -> None:
        # It hears of users whose sessions are ended, in commands as well.
        import_module("verification.login.rescue")
