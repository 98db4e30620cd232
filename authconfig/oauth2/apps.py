"""The OpenID client as an application of Django's, with a table of its own."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OAuth2Config(AppConfig):
    name = "authconfig.oauth2"
    label = "oauth2"
    verbose_name = _("OAuth2")
