"""The stages of checking a provider's configuration, in their order."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class OAuth2Stage(TextChoices):
    FETCH = "fetch", _("Fetch the configuration")
    ISSUER = "issuer", _("Compare the issuer")
    ENDPOINTS = "endpoints", _("Check the addresses")
    KEYS = "keys", _("Fetch the keys")
    METHODS = "methods", _("Check the methods")
