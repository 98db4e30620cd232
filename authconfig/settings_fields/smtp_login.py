"""How the e-mail account logs in at its server: by a password, or by OAuth2."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from authconfig import validators
from authconfig.choices import ClientAuth, JwtAlgorithm, OAuth2Grant, SmtpLogin
from authconfig.fields import SecretField
from authconfig.settings_fields import oauth2_values


class SmtpLoginFields(models.Model):
    smtp_login = models.CharField(
        _("Login"),
        max_length=32,
        choices=SmtpLogin.choices,
        default=SmtpLogin.PASSWORD,
        db_default=SmtpLogin.PASSWORD,
    )
    smtp_oauth2_tenant = models.CharField(
        _("Tenant"),
        max_length=253,
        blank=True,
        default="",
        db_default="",
        validators=[oauth2_values.validate_tenant],
        help_text=_(
            "The directory (tenant) ID of Entra ID, or a domain of the organisation."
        ),
    )
    smtp_oauth2_client_id = models.CharField(
        _("Client ID"),
        max_length=255,
        blank=True,
        default="",
        db_default="",
        validators=[validators.validate_one_line],
        help_text=_("The ID of the application that is registered at the provider."),
    )
    smtp_oauth2_client_secret = SecretField(
        _("Client secret"),
        blank=True,
        default="",
        db_default="",
        help_text=_("The value of the secret, not its ID."),
    )
    smtp_oauth2_client_secret_expires = models.DateField(
        _("Client secret expires on"),
        null=True,
        blank=True,
        help_text=_(
            "Optional. The overview warns 30 days before: without a new secret no"
            " e-mail goes out."
        ),
    )
    smtp_oauth2_resource_owner = models.CharField(
        _("Resource owner"),
        max_length=254,
        blank=True,
        default="",
        db_default="",
        validators=[validators.validate_one_line],
        help_text=_("The user whose password the site shows at the provider."),
    )
    smtp_oauth2_resource_owner_password = SecretField(
        _("Resource owner's password"),
        blank=True,
        default="",
        db_default="",
        help_text=_("The user must not need a second factor."),
    )
    smtp_oauth2_issuer = models.CharField(
        _("Client e-mail"),
        max_length=500,
        blank=True,
        default="",
        db_default="",
        validators=[validators.validate_one_line],
        help_text=_(
            "“client_email” of the key's file: the service account, which issues the"
            " JWT. Empty in other modes: the client ID."
        ),
    )
    smtp_oauth2_key_id = models.CharField(
        _("Private key ID"),
        max_length=255,
        blank=True,
        default="",
        db_default="",
        validators=[validators.validate_one_line],
        help_text=_("“private_key_id” of the key's file, or “kid” of the key."),
    )
    smtp_oauth2_private_key = SecretField(
        _("Private key"),
        blank=True,
        default="",
        db_default="",
        help_text=_("PEM, without a passphrase: -----BEGIN PRIVATE KEY----- …"),
    )
    smtp_oauth2_certificate = models.TextField(
        _("Certificate of the key"),
        blank=True,
        default="",
        db_default="",
        validators=[validators.validate_certificates],
        help_text=_(
            "PEM. Only for a provider that knows the key by its certificate, as Entra"
            " ID does."
        ),
    )
    smtp_oauth2_algorithm = models.CharField(
        _("Algorithm"),
        max_length=8,
        choices=JwtAlgorithm.choices,
        default=JwtAlgorithm.RS256,
        db_default=JwtAlgorithm.RS256,
        help_text=_("What the JWT is signed with."),
    )
    smtp_oauth2_subject = models.CharField(
        _("Mailbox to act for"),
        max_length=254,
        blank=True,
        default="",
        db_default="",
        validators=[validators.validate_one_line],
        help_text=_("The user whom the JWT names. Empty: the user name."),
    )
    smtp_oauth2_grant = models.CharField(
        _("Grant"),
        max_length=20,
        choices=OAuth2Grant.choices,
        default=OAuth2Grant.AUTHORIZATION_CODE,
        db_default=OAuth2Grant.AUTHORIZATION_CODE,
        help_text=_("What the site asks the provider for tokens with."),
    )
    smtp_oauth2_client_auth = models.CharField(
        _("Client secret is sent"),
        max_length=8,
        choices=ClientAuth.choices,
        default=ClientAuth.POST,
        db_default=ClientAuth.POST,
    )
    smtp_oauth2_token_url = models.CharField(
        _("Token endpoint"),
        max_length=500,
        blank=True,
        default="",
        db_default="",
        validators=[validators.validate_secure_url],
        help_text=_("Where tokens come from. Begins with https."),
    )
    smtp_oauth2_authorize_url = models.CharField(
        _("Authorization endpoint"),
        max_length=500,
        blank=True,
        default="",
        db_default="",
        validators=[validators.validate_secure_url],
        help_text=_("Where “Authorize” leads. Begins with https."),
    )
    smtp_oauth2_scope = models.CharField(
        _("Scopes"),
        max_length=1000,
        blank=True,
        default="",
        db_default="",
        validators=[validators.validate_one_line],
        help_text=_("What the site asks for, with spaces between."),
    )
    smtp_oauth2_parameters = models.CharField(
        _("Further parameters"),
        max_length=1000,
        blank=True,
        default="",
        db_default="",
        validators=[oauth2_values.validate_parameters],
        help_text=_("Sent along with every request, as in audience=mail&resource=pbx"),
    )
    smtp_oauth2_shared_mailbox = models.BooleanField(
        _("Shared mailbox"),
        default=False,
        db_default=False,
        help_text=_(
            "The user name is a shared mailbox: another account may be authorized, one"
            " that may send as it."
        ),
    )

    class Meta:
        abstract = True
