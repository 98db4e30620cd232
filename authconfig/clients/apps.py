"""Client applications as an application of Django's, with a table of its own."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ClientsConfig(AppConfig):
    name = "authconfig.clients"
    label = "clients"
    verbose_name = _("Client applications")
