"""The sessions of myApps clients as an application, with tables of its own."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MyAppsConfig(AppConfig):
    name = "pbxsite.gateway.myapps"
    label = "myapps"
    verbose_name = _("Sessions of myApps clients")

    def ready(self) -> None:
        # Its receivers take over what a browser has shown for a client.
        import_module("pbxsite.gateway.myapps.browser_logins")
