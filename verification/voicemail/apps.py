"""The voicemail object as a Django application with tables of its own."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from verification.mail.kinds import register


class VoicemailConfig(AppConfig):
    name = "verification.voicemail"
    label = "voicemail"
    verbose_name = _("Voicemail")

    def ready(self) -> None:
        mails = import_module("verification.voicemail.mails")
        register(mails.VOICEMAIL)
