"""The OpenID provider that users log in at."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from authconfig import validators
from authconfig.fields import SecretField
from authconfig.settings_fields import attributes


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
    oauth2_session_hours = models.PositiveSmallIntegerField(
        _("Hours until a login at the provider ends"),
        default=12,
        db_default=12,
        validators=validators.between(1, 2160, _("Enter a number from 1 to 2160.")),
        help_text=_(
            "Then users log in again, so that nobody stays who has left. With"
            " offline_access in the scope the provider is asked every 15 minutes"
            " instead, if it gives refresh tokens."
        ),
    )
    scim_attributes = models.TextField(
        _("Attributes of the users by SCIM"),
        blank=True,
        default=attributes.SCIM_DEFAULT,
        db_default=attributes.SCIM_DEFAULT,
        validators=[attributes.validate_attributes],
        help_text=_(
            "Which attribute becomes what, as field=attribute. Fields: name, long_name,"
            " email, number, language. A pattern keeps a part:"
            " number=phoneNumbers.work /(\\d{3})$/"
        ),
    )
    scim_most_removals_percent = models.PositiveSmallIntegerField(
        _("Most users deactivated in an hour, in percent"),
        default=10,
        db_default=10,
        validators=validators.between(0, 100, _("Enter a number from 0 to 100.")),
        help_text=_(
            "If the provider deactivates more of its users, and more than three, the"
            " others stay active until an administrator confirms it."
        ),
    )

    class Meta:
        abstract = True
