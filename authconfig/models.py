"""The PBX users, the one row of settings, and the audit log."""

from __future__ import annotations

import time
from typing import Any, ClassVar, Self

from django.contrib.auth.models import (
    AbstractBaseUser,
    BaseUserManager,
    PermissionsMixin,
)
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# Django finds an application's models in this module.
from authconfig.applications import ClientApplication as ClientApplication
from authconfig.choices import (
    AuthenticationType,
    Client,
    Dependency,
    Event,
    Method,
    NetlogonSecurity,
    SmtpSecurity,
)
from authconfig.fields import NameKeyField, SecretField
from authconfig.names import name_key, pbx_name
from authconfig.validators import (
    validate_authorize_query,
    validate_certificates,
    validate_domain,
    validate_host,
    validate_login_name,
    validate_one_line,
    validate_secure_url,
    validate_servers,
    validate_time_zone,
    validate_user_filter,
)


class PbxUserManager(BaseUserManager["PbxUser"]):
    def create_user(
        self, name: str, password: str | None = None, **fields: Any
    ) -> PbxUser:
        user = self.model(name=name, **fields)
        user.set_password(password)
        user.full_clean(exclude=["password", "name_key"])
        user.save(using=self._db)
        return user

    def create_superuser(
        self, name: str, password: str | None = None, **fields: Any
    ) -> PbxUser:
        return self.create_user(
            name, password, is_staff=True, is_superuser=True, **fields
        )

    def get_by_natural_key(self, username: str | None) -> PbxUser:
        return self.get(name_key=name_key(username or ""))


class PbxUser(AbstractBaseUser, PermissionsMixin):
    name = models.CharField(
        _("name"),
        max_length=150,
        unique=True,
        validators=[validate_login_name],
        help_text=_("The login name. Upper and lower case are the same."),
        error_messages={"unique": _("A PBX user of this name exists already.")},
    )
    name_key = NameKeyField(max_length=300, unique=True, editable=False)
    long_name = models.CharField(
        _("long name"), max_length=150, blank=True, validators=[validate_one_line]
    )
    email = models.EmailField(
        _("e-mail address"),
        blank=True,
        help_text=_("Verification e-mails go to this address."),
    )
    number = models.CharField(
        _("extension number"),
        max_length=32,
        blank=True,
        validators=[validate_one_line],
    )
    language = models.CharField(
        _("language"),
        max_length=8,
        blank=True,
        choices=[("en", _("English")), ("de", _("German"))],
        help_text=_("Of e-mails. Empty: the language of the browser that logs in."),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
        help_text=_("Of the times in e-mails: Europe/Berlin. Empty: the site's own."),
    )
    is_active = models.BooleanField(
        _("active"),
        default=True,
        help_text=_("Inactive users cannot log in, and their sessions end at once."),
    )
    is_staff = models.BooleanField(
        _("administrator"),
        default=False,
        help_text=_("May log in to this administration."),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    objects: ClassVar[PbxUserManager] = PbxUserManager()

    USERNAME_FIELD = "name"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["email"]

    class Meta:
        verbose_name = _("PBX user")
        verbose_name_plural = _("PBX users")
        ordering = ["name_key"]
        constraints = [
            CheckConstraint(name="user_has_a_name", condition=~Q(name_key="")),
            UniqueConstraint(
                name="number_belongs_to_one_user",
                fields=["number"],
                condition=~Q(number=""),
                violation_error_message=_("Another user has this extension number."),
            ),
        ]
        indexes = [
            # Whom no verification e-mail reaches: counted and listed.
            Index(
                name="user_without_email", fields=["name_key"], condition=Q(email="")
            ),
            # The admin's list by one filter.
            Index(
                name="user_inactive",
                fields=["name_key"],
                condition=Q(is_active=False),
            ),
            Index(
                name="user_administrator",
                fields=["name_key"],
                condition=Q(is_staff=True),
            ),
        ]

    # How this object came to be the user of the running login; never stored.
    login_method: Method | None = None

    def __str__(self) -> str:
        return self.name

    def get_full_name(self) -> str:
        return self.long_name or self.name

    def get_short_name(self) -> str:
        return self.name


class AuthenticationSettings(models.Model):
    """The one row that decides who may log in, and how."""

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
        validators=[validate_one_line],
        help_text=_(
            "The name that users know the OAuth2 provider by. It stands on the button"
            " of the login form, for example “Windows” or “Active Directory”."
        ),
    )
    oauth2_domain = models.CharField(
        _("OAuth2 domain"),
        max_length=253,
        blank=True,
        validators=[validate_domain],
        help_text=_(
            "Needed if the users' domain at the provider is not the PBX's domain:"
            " users of this domain count as members of the PBX's."
        ),
    )
    pbx_domain = models.CharField(
        _("PBX domain"),
        max_length=253,
        blank=True,
        validators=[validate_domain],
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
        validators=[
            MinValueValidator(8, _("Enter a number from 8 to 64.")),
            MaxValueValidator(64, _("Enter a number from 8 to 64.")),
        ],
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
        validators=[validate_host],
        help_text=_("IP address or DNS name, also with a port: mail.example.com:587."),
    )
    smtp_client_host_name = models.CharField(
        _("Client host name"),
        max_length=253,
        blank=True,
        default="127.0.0.1",
        validators=[validate_host],
        help_text=_(
            "How this site calls itself in the EHLO message: a host name or an IP"
            " address. Optional, 127.0.0.1 by default."
        ),
    )
    smtp_sender_name = models.CharField(
        _("Sender name"),
        max_length=100,
        blank=True,
        validators=[validate_one_line],
        help_text=_("The name that recipients see as the sender."),
    )
    smtp_email_address = models.EmailField(
        _("Email address"),
        blank=True,
        validators=[validate_one_line],
        help_text=_("The address that the e-mails come from."),
    )
    smtp_username = models.CharField(
        _("Username"),
        max_length=254,
        blank=True,
        validators=[validate_one_line],
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
        validators=[validate_secure_url],
        help_text=_(
            "The address at which users accept or reject a login, as they reach it:"
            " https://PBX-IP-or-DNS-name/PBX0/session.xml"
        ),
    )
    smtp_port = models.PositiveIntegerField(
        _("Port"),
        default=587,
        validators=[
            MinValueValidator(1, _("Enter a number from 1 to 65535.")),
            MaxValueValidator(65535, _("Enter a number from 1 to 65535.")),
        ],
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
        validators=[validate_certificates],
        help_text=_("PEM. Only for a server whose certificate is of your own CA."),
    )
    smtp_connections = models.PositiveSmallIntegerField(
        _("Connections"),
        default=3,
        validators=[
            MinValueValidator(1, _("Enter a number from 1 to 20.")),
            MaxValueValidator(20, _("Enter a number from 1 to 20.")),
        ],
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
        validators=[validate_domain],
        help_text=_("The DNS name of the Active Directory domain: ad.example.com."),
    )
    netlogon_servers = models.CharField(
        _("Domain controllers"),
        max_length=1000,
        blank=True,
        validators=[validate_servers],
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
        validators=[validate_certificates],
        help_text=_(
            "PEM. Needed where your own CA made the controllers' certificates."
        ),
    )
    netlogon_base_dn = models.CharField(
        _("Base DN"),
        max_length=500,
        blank=True,
        validators=[validate_one_line],
        help_text=_(
            "Where users are searched: DC=ad,DC=example,DC=com. Empty: from the domain."
        ),
    )
    netlogon_bind_dn = models.CharField(
        _("Service account"),
        max_length=500,
        blank=True,
        validators=[validate_one_line],
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
        validators=[validate_user_filter],
        help_text=_("The LDAP filter that finds a user; %(user)s is the login name."),
    )
    netlogon_group = models.CharField(
        _("Required group"),
        max_length=500,
        blank=True,
        validators=[validate_one_line],
        help_text=_("The DN of a group. Only its members may log in. Optional."),
    )
    netlogon_netbios_name = models.CharField(
        _("NetBIOS name"),
        max_length=15,
        blank=True,
        validators=[validate_one_line],
        help_text=_(
            "The DOMAIN in DOMAIN\\user. Empty: the first part of the Windows domain."
        ),
    )
    netlogon_max_failures = models.PositiveSmallIntegerField(
        _("Wrong passwords before the directory is left alone"),
        default=3,
        validators=[
            MinValueValidator(1, _("Enter a number from 1 to 100.")),
            MaxValueValidator(100, _("Enter a number from 1 to 100.")),
        ],
        help_text=_(
            "In 10 minutes and for one user; keep it below the lock-out of the domain."
        ),
    )

    # OAuth2
    oauth2_well_known_url = models.CharField(
        _("OpenID well-known configuration URL"),
        max_length=500,
        blank=True,
        validators=[validate_secure_url],
        help_text=_("Ends in /.well-known/openid-configuration"),
    )
    oauth2_client_id = models.CharField(
        _("Client ID"), max_length=255, blank=True, validators=[validate_one_line]
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
        validators=[validate_one_line],
        help_text=_("What the provider is asked for; it has to contain openid."),
    )
    oauth2_authorize_query = models.CharField(
        _("Additional authorize URL query"),
        max_length=255,
        blank=True,
        validators=[validate_authorize_query],
        help_text=_("Starts with &, for example &prompt=login"),
    )
    oauth2_upn_claim = models.CharField(
        _("UPN claim"),
        max_length=100,
        default="upn",
        validators=[validate_one_line],
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
            CheckConstraint(
                name="authentication_type_is_known",
                condition=Q(authentication_type__in=AuthenticationType.values),
            ),
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
            CheckConstraint(
                name="smtp_security_is_known",
                condition=Q(smtp_security__in=SmtpSecurity.values),
            ),
            CheckConstraint(
                name="smtp_connections_from_1_to_20",
                condition=Q(smtp_connections__range=(1, 20)),
            ),
            CheckConstraint(
                name="netlogon_security_is_known",
                condition=Q(netlogon_security__in=NetlogonSecurity.values),
            ),
            CheckConstraint(
                name="oauth2_in_use_has_a_provider",
                condition=~Q(authentication_type__in=["oauth2_only", "pbx_and_oauth2"])
                | (
                    ~Q(oauth2_provider_name="")
                    & ~Q(oauth2_well_known_url="")
                    & ~Q(oauth2_client_id="")
                ),
            ),
            CheckConstraint(
                name="netlogon_in_use_has_a_domain",
                condition=~Q(
                    authentication_type__in=["netlogon_only", "pbx_and_netlogon"]
                )
                | ~Q(netlogon_domain=""),
            ),
        ]

    def __str__(self) -> str:
        return str(_("Authentication"))

    @classmethod
    def load(cls) -> Self:
        """Read the row, which is made with a fresh site's values if need be."""
        return cls.objects.get_or_create(pk=1)[0]

    @property
    def netbios_name(self) -> str:
        return self.netlogon_netbios_name or self.netlogon_domain.partition(".")[0]

    def login_name(self, entered: str) -> str:
        """Return whose name the login form takes the entered one for."""
        return pbx_name(
            entered,
            domains=(self.pbx_domain, self.netlogon_domain),
            netbios=self.netbios_name,
        )


class CurrentSettings:
    """Each process's copy of the row, read again when it is older than a second."""

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


current_settings = CurrentSettings()


class DependencyState(models.Model):
    """How a server of others answered last, told by whichever process asked it."""

    kind = models.CharField(max_length=12, choices=Dependency.choices)
    name = models.CharField(max_length=300)
    is_up = models.BooleanField()
    # Since when it is so, what was said, and when it was asked last.
    changed_at = models.DateTimeField(default=timezone.now)
    words = models.CharField(max_length=500, blank=True)
    asked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["kind", "name"]
        constraints = [
            UniqueConstraint(name="dependency_has_one_state", fields=["kind", "name"]),
            CheckConstraint(
                name="dependency_is_known", condition=Q(kind__in=Dependency.values)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {'up' if self.is_up else 'down'}"


class ProviderIdentity(models.Model):
    """An account at the OpenID provider that a user logs in with.

    `sub` is what a provider never gives to another person; names it may.
    """

    user = models.ForeignKey(
        PbxUser, on_delete=models.CASCADE, related_name="identities"
    )
    issuer = models.CharField(_("issuer"), max_length=500)
    subject = models.CharField(_("subject"), max_length=255)
    created_at = models.DateTimeField(_("connected"), default=timezone.now)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)

    class Meta:
        verbose_name = _("OAuth2 account")
        verbose_name_plural = _("OAuth2 accounts")
        constraints = [
            UniqueConstraint(
                name="one_user_for_an_account", fields=["issuer", "subject"]
            ),
            UniqueConstraint(
                name="one_account_of_an_issuer_for_a_user", fields=["issuer", "user"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} ({self.issuer})"


class AuditEvent(models.Model):
    """What happened, to whom, by whom and from where; never a secret."""

    at = models.DateTimeField(_("time"), default=timezone.now)
    event = models.CharField(_("event"), max_length=24, choices=Event.choices)
    user = models.ForeignKey(
        PbxUser,
        verbose_name=_("user"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="audit_events",
        db_index=False,
    )
    user_name = models.CharField(_("name"), max_length=150, blank=True)
    actor = models.ForeignKey(
        PbxUser,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
    )
    client = models.CharField(
        _("client"), max_length=10, blank=True, choices=Client.choices
    )
    method = models.CharField(
        _("method"), max_length=10, blank=True, choices=Method.choices
    )
    address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    user_agent = models.CharField(_("browser"), max_length=200, blank=True)
    detail = models.TextField(_("detail"), blank=True)
    # Which settings a login or a test succeeded with (authconfig/lockout.py).
    proof = models.CharField(max_length=16, blank=True, editable=False)

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit log")
        ordering = ["-at", "-pk"]
        indexes = [
            # "Has this user logged in by this method of late?"
            Index(name="audit_by_user", fields=["user", "event", "-at"]),
            # A user's last events, which Account security shows him.
            Index(name="audit_by_user_and_time", fields=["user", "-at"]),
            # The admin's list, all of it or by one filter, and what is forgotten.
            Index(name="audit_by_time", fields=["-at", "-id"]),
            # It also counts the last day's logins.
            Index(name="audit_by_event", fields=["event", "-at", "-id"]),
            # Each mail makes an event, and has nothing of these.
            Index(
                name="audit_by_actor",
                fields=["actor"],
                condition=Q(actor__isnull=False),
            ),
            Index(
                name="audit_by_client",
                fields=["client", "-at", "-id"],
                condition=~Q(client=""),
            ),
            Index(
                name="audit_by_method",
                fields=["method", "-at", "-id"],
                condition=~Q(method=""),
            ),
            Index(
                name="audit_by_address",
                fields=["address", "-at", "-id"],
                condition=Q(address__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_event_display()} ({self.user_name})"
