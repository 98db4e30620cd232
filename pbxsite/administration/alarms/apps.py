"""The alarms as an application, with tables of their own."""

from __future__ import annotations

from importlib import import_module

from celery.signals import beat_init
from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AlarmsConfig(AppConfig):
    name = "pbxsite.administration.alarms"
    label = "alarms"
    verbose_name = _("Alarms")

    def ready(self) -> None:
        import_module("pbxsite.administration.alarms.mails")
        lookout = import_module("pbxsite.administration.alarms.lookout").lookout
        lookout.watch_in_workers()
        beat_init.connect(lookout.begin)
