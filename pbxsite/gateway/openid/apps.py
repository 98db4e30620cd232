"""The OpenID provider as an application, with tables of its own."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OpenIdConfig(AppConfig):
    name = "pbxsite.gateway.openid"
    label = "openid"
    verbose_name = _("OpenID provider")
