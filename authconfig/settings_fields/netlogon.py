"""Where Windows users are looked up."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from authconfig import validators
from authconfig.choices import NetlogonSecurity
from authconfig.fields import SecretField


class NetlogonFields(models.Model):
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
        validators=[validators.validate_dn],
        help_text=_(
            "Where users are searched: DC=ad,DC=example,DC=com. Empty: from the domain."
        ),
    )
    netlogon_bind_dn = models.CharField(
        _("Service account"),
        max_length=500,
        blank=True,
        validators=[validators.validate_service_account],
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
        validators=[validators.validate_dn],
        help_text=_("The DN of a group. Only its members may log in. Optional."),
    )
    netlogon_netbios_name = models.CharField(
        _("NetBIOS name"),
        max_length=15,
        blank=True,
        validators=[validators.validate_netbios_name],
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

    class Meta:
        abstract = True
