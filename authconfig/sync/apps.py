"""The synchronisation of users as an application of Django's."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SyncConfig(AppConfig):
    name = "authconfig.sync"
    label = "sync"
    verbose_name = _("Users from the directory")
