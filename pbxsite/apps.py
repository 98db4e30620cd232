"""The project as an application, for its commands, static files and translations."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class PbxSiteConfig(AppConfig):
    name = "pbxsite"
    verbose_name = _("PBX authentication site")


class PbxAdminConfig(AdminConfig):
    default_site = "pbxsite.admin.PbxAdminSite"

    def ready(self) -> None:
        super().ready()
        autodiscover_modules("settings_page")
