"""The rules: the one row of settings that decides who may log in, and how."""

from __future__ import annotations

import time
from typing import Self

from django.db import models
from django.db.models import CheckConstraint, Q
from django.utils.translation import gettext_lazy as _

from authconfig import validators
from authconfig.choices import (
    AuthenticationType,
    Method,
    NetlogonSecurity,
    SmtpSecurity,
)
from authconfig.dependencies import DependencyState as DependencyState  # a table
from authconfig.fields import SecretField
from authconfig.names import pbx_name
from authconfig.policy import types_using

USES_NETLOGON = Q(authentication_type__in=types_using(Method.NETLOGON))
USES_OAUTH2 = Q(authentication_type__in=types_using(Method.OAUTH2))


def _is_known(field: str, choices: type[models.TextChoices]) -> CheckConstraint:
    known = Q(**{f"{field}__in": choices.values})
    return CheckConstraint(name=f"{field}_is_known", condition=known)


class AuthenticationSettings(models.Model):
    # Authentication
    two_factor = models.BooleanField(
        _("Two-factor authentication"),
        default=False,
        help_text=_(
            "Each login has to be approved as well: in a session that exists already,"
            " or by the link in an e-mail."
        ),
    )
    authentication_type = models.CharField(
        _("Authentication type"),
        max_length=20,
        choices=AuthenticationType.choices,
        default=AuthenticationType.PBX_ONLY,
    )
    oauth2_provider_name = models.CharField(
        _("OAuth2 provider name"),
        max_length=60,
        blank=True,
        validators=[validators.validate_one_line],
        help_text=_(
            "The name that users know the OAuth2 provider by. It stands on the button"
            " of the login form, for example “Windows” or “Active Directory”."
        ),
    )
    oauth2_domain = models.CharField(
        _("OAuth2 domain"),
        max_length=253,
        blank=True,
        validators=[validators.validate_domain],
        help_text=_(
            "Needed if the users' domain at the provider is not the PBX's domain:"
            " users of this domain count as members of the PBX's."
        ),
    )
    pbx_domain = models.CharField(
        _("PBX domain"),
        max_length=253,
        blank=True,
        validators=[validators.validate_domain],
        help_text=_("The PBX's own domain: its members log in with or without it."),
    )
    factor_required = models.BooleanField(
        _("Require a passkey or authenticator app"),
        default=False,
        help_text=_(
            "E-mail no longer suffices. Users who have neither approve one more login"
            " as before, and set one up before they can do anything else."
        ),
    )
    password_min_length = models.PositiveSmallIntegerField(
        _("Minimum password length"),
        default=8,
        validators=validators.between(8, 64, _("Enter a number from 8 to 64.")),
        help_text=_(
            "Of new PBX passwords. NIST SP 800-63B-4 asks for 15 where the password is"
            " the only factor, and for 8 beside a second one."
        ),
    )
    password_changes_forbidden = models.BooleanField(
        _("Forbid password changes"),
        default=False,
        help_text=_(
            "Users cannot change their PBX passwords themselves; administrators can."
        ),
    )

    # Email verification
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
            "The user name of the e-mail account. Empty: the server asks for no login."
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
        validators=[validators.validate_secure_url],
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
            " when many e-mails wait. Some providers allow no more than three."
        ),
    )

    # Netlogon
    netlogon_domain = models.CharField(
        _("Windows domain"),
        max_length=253,
        blank=True,
        validators=[validators.validate_domain],
        help_text=_("The DNS name of the Active Directory domain: ad.example.com."),
    )
    netlogon_servers = models.CharField(
        _("Domain controllers"),
        max_length=1000,
        blank=True,
        validators=[validators.validate_servers],
        help_text=_(
            "Host names or IP addresses, also with a port, separated by commas; they"
            " are tried in this order. Empty: found by DNS (SRV) from the domain."
        ),
    )
    netlogon_security = models.CharField(
        _("Security"),
        max_length=10,
        choices=NetlogonSecurity.choices,
        default=NetlogonSecurity.TLS,
        help_text=_("Windows passwords never travel unencrypted."),
    )
    netlogon_ca_certificate = models.TextField(
        _("CA certificate"),
        blank=True,
        validators=[validators.validate_certificates],
        help_text=_(
            "PEM. Needed where your own CA made the controllers' certificates."
        ),
    )
    netlogon_base_dn = models.CharField(
        _("Base DN"),
        max_length=500,
        blank=True,
        validators=[validators.validate_one_line],
        help_text=_(
            "Where users are searched: DC=ad,DC=example,DC=com. Empty: from the domain."
        ),
    )
    netlogon_bind_dn = models.CharField(
        _("Service account"),
        max_length=500,
        blank=True,
        validators=[validators.validate_one_line],
        help_text=_(
            "The account that searches for users. Empty: users are checked by a direct"
            " login as user@domain, as Active Directory takes it."
        ),
    )
    netlogon_bind_password = SecretField(
        _("Service account password"), blank=True, default=""
    )
    netlogon_user_filter = models.CharField(
        _("User filter"),
        max_length=500,
        blank=True,
        default="(sAMAccountName=%(user)s)",
        validators=[validators.validate_user_filter],
        help_text=_("The LDAP filter that finds a user; %(user)s is the login name."),
    )
    netlogon_group = models.CharField(
        _("Required group"),
        max_length=500,
        blank=True,
        validators=[validators.validate_one_line],
        help_text=_("The DN of a group. Only its members may log in. Optional."),
    )
    netlogon_netbios_name = models.CharField(
        _("NetBIOS name"),
        max_length=15,
        blank=True,
        validators=[validators.validate_one_line],
        help_text=_(
            "The DOMAIN in DOMAIN\\user. Empty: the first part of the Windows domain."
        ),
    )
    netlogon_max_failures = models.PositiveSmallIntegerField(
        _("Wrong passwords before the directory is left alone"),
        default=3,
        validators=validators.between(1, 100, _("Enter a number from 1 to 100.")),
        help_text=_(
            "In 10 minutes and for one user; keep it below the lock-out of the domain."
        ),
    )

    # OAuth2
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
        validators=[validators.validate_one_line],
        help_text=_(
            "The claim that holds the login name. Enter another one than upn only if"
            " users cannot change its value themselves: it decides who they are."
        ),
    )
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("authentication")
        verbose_name_plural = _("authentication")
        constraints = [
            CheckConstraint(name="settings_are_one_row", condition=Q(id=1)),
            _is_known("authentication_type", AuthenticationType),
            CheckConstraint(
                name="password_min_length_from_8_to_64",
                condition=Q(password_min_length__range=(8, 64)),
            ),
            CheckConstraint(
                name="two_factor_needs_mail_and_link",
                condition=Q(two_factor=False)
                | (~Q(smtp_server="") & ~Q(verification_link="")),
            ),
            CheckConstraint(
                name="factor_requirement_needs_two_factor",
                condition=Q(factor_required=False) | Q(two_factor=True),
            ),
            _is_known("smtp_security", SmtpSecurity),
            CheckConstraint(
                name="smtp_connections_from_1_to_20",
                condition=Q(smtp_connections__range=(1, 20)),
            ),
            _is_known("netlogon_security", NetlogonSecurity),
            CheckConstraint(
                name="oauth2_in_use_has_a_provider",
                condition=~USES_OAUTH2
                | (
                    ~Q(oauth2_provider_name="")
                    & ~Q(oauth2_well_known_url="")
                    & ~Q(oauth2_client_id="")
                ),
            ),
            CheckConstraint(
                name="netlogon_in_use_has_a_domain",
                condition=~USES_NETLOGON | ~Q(netlogon_domain=""),
            ),
        ]

    def __str__(self) -> str:
        return str(_("Authentication"))

    @classmethod
    def load(cls) -> Self:
        """Read the row; a fresh site gets one with the default values."""
        return cls.objects.get_or_create(pk=1)[0]

    @property
    def netbios_name(self) -> str:
        return self.netlogon_netbios_name or self.netlogon_domain.partition(".")[0]

    def login_name(self, entered: str) -> str:
        """Return the name of the PBX user that the login form takes this entry for."""
        domains = (self.pbx_domain, self.netlogon_domain)
        return pbx_name(entered, domains=domains, netbios=self.netbios_name)


class CurrentRules:
    """Each process's copy of the rules, read again when it is older than a second."""

    MAX_AGE_SECONDS = 1.0

    def __init__(self) -> None:
        self._row: AuthenticationSettings | None = None
        self._read_at = 0.0

    def __call__(self) -> AuthenticationSettings:
        now = time.monotonic()
        if self._row is None or now - self._read_at > self.MAX_AGE_SECONDS:
            self._row, self._read_at = AuthenticationSettings.load(), now
        return self._row

    def forget(self) -> None:
        self._row = None


current_rules = CurrentRules()
