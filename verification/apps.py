"""The second factor: login sessions, approvals and outgoing e-mail."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class VerificationConfig(AppConfig):
    name = "verification"
    verbose_name = _("Login sessions and e-mail")

    def ready(self) -> None:
        # It hears of users whose sessions are ended, in commands as well.
        import_module("verification.flows")
