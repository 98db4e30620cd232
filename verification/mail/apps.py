"""The mail system as a Django application with tables of its own."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MailConfig(AppConfig):
    name = "verification.mail"
    label = "mail"
    verbose_name = _("E-mail")

    def ready(self) -> None:
        unasked = import_module("verification.mail.unasked")
        unasked.lookout.watch_in_workers()
        unasked.trial_lookout.watch_in_workers()
