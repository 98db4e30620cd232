"""The administration as an application: Django's admin with a site of our own."""

from __future__ import annotations

from importlib import import_module

from django.apps import apps
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import gettext_lazy as _

# allauth names its models and their fields in English alone.
MODELS = {
    "usersessions.UserSession": (_("signed-in session"), _("signed-in sessions")),
    "mfa.Authenticator": (_("second factor"), _("second factors")),
}
FIELDS = {"user": _("user"), "type": _("kind")}


class PbxAdminConfig(AdminConfig):
    default_site = "pbxsite.administration.site.PbxAdminSite"

    def ready(self) -> None:
        super().ready()
        # After the libraries' own pages, some of which ours take the place of.
        import_module("pbxsite.administration.pages")
        for name, (one, many) in MODELS.items():
            options = apps.get_model(name)._meta
            options.verbose_name, options.verbose_name_plural = one, many
            for field in options.fields:
                field.verbose_name = FIELDS.get(field.name, field.verbose_name)
