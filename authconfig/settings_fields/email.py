"""The e-mail account that verification e-mails and voicemail leave by."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from authconfig import validators
from authconfig.choices import OversizedVoicemail, SmtpSecurity
from authconfig.fields import SecretField


class EmailFields(models.Model):
    smtp_server = models.CharField(
        _("SMTP server"),
        max_length=260,
        blank=True,
        validators=[validators.validate_host],
        help_text=_("IP address or DNS name, also with a port: mail.example.com:587."),
    )
    smtp_client_host_name = models.CharField(
        _("Client host name"),
        max_length=253,
        blank=True,
        default="127.0.0.1",
        validators=[validators.validate_host],
        help_text=_(
            "How this site calls itself in the EHLO message: a host name or an IP"
            " address. Optional, 127.0.0.1 by default."
        ),
    )
    smtp_sender_name = models.CharField(
        _("Sender name"),
        max_length=100,
        blank=True,
        validators=[validators.validate_one_line],
        help_text=_("The name that recipients see as the sender."),
    )
    smtp_email_address = models.EmailField(
        _("Email address"),
        blank=True,
        validators=[validators.validate_one_line],
        help_text=_("The address that the e-mails come from."),
    )
    smtp_username = models.CharField(
        _("Username"),
        max_length=254,
        blank=True,
        validators=[validators.validate_one_line],
        help_text=_(
            "The user name of the e-mail account. Empty: the server asks for no login;"
            " with OAuth2 it is the email address above."
        ),
    )
    smtp_password = SecretField(
        _("Password"),
        blank=True,
        default="",
        help_text=_("The password of the e-mail account."),
    )
    verification_link = models.CharField(
        _("Verification link"),
        max_length=500,
        blank=True,
        validators=[validators.validate_verification_link],
        help_text=_(
            "The address at which users accept or reject a login, as they reach it:"
            " https://PBX-IP-or-DNS-name/PBX0/session.xml"
        ),
    )
    smtp_port = models.PositiveIntegerField(
        _("Port"),
        default=587,
        validators=validators.between(1, 65535, _("Enter a number from 1 to 65535.")),
        help_text=_(
            "Empty: the usual one (587 with STARTTLS, 465 with TLS, 25 without)."
        ),
    )
    smtp_security = models.CharField(
        _("Security"),
        max_length=10,
        choices=SmtpSecurity.choices,
        default=SmtpSecurity.STARTTLS,
        help_text=_("The site never falls back to an unencrypted connection."),
    )
    smtp_ca_certificate = models.TextField(
        _("CA certificate"),
        blank=True,
        validators=[validators.validate_certificates],
        help_text=_("PEM. Only for a server whose certificate is of your own CA."),
    )
    smtp_connections = models.PositiveSmallIntegerField(
        _("Connections"),
        default=3,
        validators=validators.between(1, 20, _("Enter a number from 1 to 20.")),
        help_text=_(
            "How many connections to the server each worker process opens at most,"
            " when many e-mails wait; one more for a moment, when one is replaced. Some"
            " providers allow no more than three."
        ),
    )
    smtp_mails_per_connection = models.PositiveSmallIntegerField(
        _("E-mails per connection"),
        default=10,
        db_default=10,
        validators=validators.between(1, 1000, _("Enter a number from 1 to 1000.")),
        help_text=_(
            "How many e-mails go over a connection before another one replaces it. Exim"
            " delivers ten at once, and further ones only when it next looks through"
            " its queue. Enter more if your server allows more."
        ),
    )

    voicemail_oversized = models.CharField(
        _("Too large voicemail"),
        max_length=10,
        choices=OversizedVoicemail.choices,
        default=OversizedVoicemail.LINK,
        db_default=OversizedVoicemail.LINK,
        help_text=_(
            "What the e-mail has instead of a recording that is larger than the SMTP"
            " server takes. Opus needs Debian's package opus-tools where the workers"
            " run."
        ),
    )

    class Meta:
        abstract = True
