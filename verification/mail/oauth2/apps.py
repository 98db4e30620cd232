"""The tokens of the e-mail account, as an application with a table of its own."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MailOAuth2Config(AppConfig):
    name = "verification.mail.oauth2"
    label = "mail_oauth2"
    verbose_name = _("E-mail by OAuth2")
