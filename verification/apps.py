"""The second factor: login sessions, approvals and outgoing e-mail."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _

# allauth names its models and their fields in English alone.
MODELS = {
    "usersessions.UserSession": (_("signed-in session"), _("signed-in sessions")),
    "mfa.Authenticator": (_("second factor"), _("second factors")),
}
FIELDS = {"user": _("user"), "type": _("kind")}


class VerificationConfig(AppConfig):
    name = "verification"
    verbose_name = _("Login sessions and e-mail")

    def ready(self) -> None:
        # It hears of users whose sessions are ended, in commands as well.
        import_module("verification.approval.flows")
        for name, (one, many) in MODELS.items():
            options = apps.get_model(name)._meta
            options.verbose_name, options.verbose_name_plural = one, many
            for field in options.fields:
                field.verbose_name = FIELDS.get(field.name, field.verbose_name)
