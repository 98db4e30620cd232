"""The project as an application, for its commands, static files and translations."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.utils.translation import gettext_lazy as _

from pbxsite.celery import app as celery_app
from pbxsite.tables.older import refuse_older

__all__ = ["PbxSiteConfig", "celery_app"]


class PbxSiteConfig(AppConfig):
    name = "pbxsite"
    verbose_name = _("PBX authentication site")

    def ready(self) -> None:
        connection_created.connect(refuse_older)
