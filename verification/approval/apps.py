"""Approval as an application, with tables of its own."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from verification.mail.kinds import register


class ApprovalConfig(AppConfig):
    name = "verification.approval"
    label = "approval"
    verbose_name = _("Login sessions")

    def ready(self) -> None:
        mails = import_module("verification.approval.mails")
        register(mails.APPROVAL, mails.REJECTION)
        # Its receivers have to hear of sessions that end, in commands as well.
        import_module("verification.approval.flows")
