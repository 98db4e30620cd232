"""The project as an application, for its commands, static files and translations."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PbxSiteConfig(AppConfig):
    name = "pbxsite"
    verbose_name = _("PBX authentication site")
