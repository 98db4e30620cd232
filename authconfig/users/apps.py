"""PBX users and the audit log as an application of Django's, with tables of its own."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class UsersConfig(AppConfig):
    name = "authconfig.users"
    label = "users"
    verbose_name = _("Users and audit log")
