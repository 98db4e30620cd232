"""The words of the tokens."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Grant(TextChoices):
    """What this site shows for a token (RFC 6749, 1.3; RFC 7523)."""

    AUTHORIZATION_CODE = "authorization_code", _("authorization code")
    PASSWORD = "password", _("resource owner's password")
    CLIENT_CREDENTIALS = "client_credentials", _("client credentials")
    JWT_BEARER = "jwt_bearer", _("signed assertion (JWT bearer)")


class ClientShows(TextChoices):
    """How this site shows at the token endpoint which client it is."""

    POST = "post", _("client secret, by post")
    BASIC = "basic", _("client secret, by Basic")
    KEY = "private_key_jwt", _("signed by the private key")
    NOTHING = "nothing", _("nothing")
