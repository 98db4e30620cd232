"""The OpenID provider as an application, with tables of its own."""

from __future__ import annotations

from functools import lru_cache

from allauth.core.internal import jwkkit
from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OpenIdConfig(AppConfig):
    name = "pbxsite.gateway.openid"
    label = "openid"
    verbose_name = _("OpenID provider")

    def ready(self) -> None:
        # allauth reads the keys anew for each request, a stranger's too. Each reading
        # checks a key's primes, for a tenth of a second in which nothing else runs.
        jwkkit.load_pem = lru_cache(maxsize=8)(jwkkit.load_pem)
