"""The OpenID provider that users log in at."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from authconfig import validators
from authconfig.fields import SecretField


class OAuth2Fields(models.Model):
    oauth2_well_known_url = models.CharField(
        _("OpenID well-known configuration URL"),
        max_length=500,
        blank=True,
        validators=[validators.validate_secure_url],
        help_text=_("Ends in /.well-known/openid-configuration"),
    )
    oauth2_client_id = models.CharField(
        _("Client ID"),
        max_length=255,
        blank=True,
        validators=[validators.validate_one_line],
    )
    oauth2_client_secret = SecretField(
        _("Client secret"),
        blank=True,
        default="",
        help_text=_("Empty for a public client."),
    )
    oauth2_scope = models.CharField(
        _("Scope"),
        max_length=255,
        default="openid profile email",
        validators=[validators.validate_one_line],
        help_text=_("What the provider is asked for; it has to contain openid."),
    )
    oauth2_authorize_query = models.CharField(
        _("Additional authorize URL query"),
        max_length=255,
        blank=True,
        validators=[validators.validate_authorize_query],
        help_text=_("Starts with &, for example &prompt=login"),
    )
    oauth2_upn_claim = models.CharField(
        _("UPN claim"),
        max_length=100,
        default="upn",
        validators=[validators.validate_claim],
        help_text=_(
            "The claim that holds the login name. Enter another one than upn only if"
            " users cannot change its value themselves: it decides who they are."
        ),
    )

    class Meta:
        abstract = True
