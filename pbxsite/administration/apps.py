"""TODO docstring of pbxsite.administration.apps"""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig
from django.utils.module_loading import autodiscover_modules


class PbxAdminConfig(AdminConfig):
    default_site = "pbxsite.administration.site.PbxAdminSite"

    def ready(self) -> None:
        super().ready()
        autodiscover_modules("settings_page")
