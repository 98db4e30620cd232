"""Which entries of the directory are users, and when they are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from django.db import models
from django.utils.translation import gettext_lazy as _

from authconfig import validators
from authconfig.settings_fields import attributes

if TYPE_CHECKING:  # the stubs are not there in production
    from django_stubs_ext import StrPromise

# Holds in Active Directory, where computers are persons too, and everywhere else.
DEFAULT_FILTER = (
    "(|(&(objectCategory=person)(objectClass=user))(objectClass=inetOrgPerson))"
)


class SynchronisationFields(models.Model):
    directory_sync = models.BooleanField(
        _("Users from the directory"),
        default=False,
        db_default=False,
        help_text=_(
            "PBX users are added, changed and deactivated as the directory is."
        ),
    )
    directory_sync_filter = models.CharField(
        _("Filter of the users"),
        max_length=1000,
        blank=True,
        default=DEFAULT_FILTER,
        db_default=DEFAULT_FILTER,
        validators=[validators.validate_ldap_filter],
        help_text=_("The LDAP filter that all users match, and nobody else."),
    )
    directory_sync_base = models.CharField(
        _("Base DN of the users"),
        max_length=500,
        blank=True,
        default="",
        db_default="",
        validators=[validators.validate_dn],
        help_text=_("Where users are read. Empty: the base DN above."),
    )
    directory_sync_group = models.CharField(
        _("Group of the users"),
        max_length=500,
        blank=True,
        default="",
        db_default="",
        validators=[validators.validate_dn],
        help_text=_(
            "The DN of a group. Only its members become users, those of groups inside"
            " it too. Optional."
        ),
    )
    directory_sync_admin_group = models.CharField(
        _("Group of the administrators"),
        max_length=500,
        blank=True,
        default="",
        db_default="",
        validators=[validators.validate_dn],
        help_text=_(
            "The DN of a group whose members become administrators with all rights."
            " Empty: the directory makes nobody an administrator."
        ),
    )
    directory_sync_attributes = models.TextField(
        _("Attributes of the users"),
        blank=True,
        default=attributes.DEFAULT,
        db_default=attributes.DEFAULT,
        validators=[attributes.validate_attributes],
        help_text=_(
            "Which attribute becomes what, as field=attribute. Fields: name, long_name,"
            " email, number, language. A pattern keeps a part:"
            " number=telephoneNumber /(\\d{3})$/"
        ),
    )
    directory_sync_minutes = models.PositiveSmallIntegerField(
        _("Minutes between two runs"),
        default=60,
        db_default=60,
        validators=validators.between(5, 1440, _("Enter a number from 5 to 1440.")),
        help_text=_("All attributes are read once a day; else of changed entries."),
    )
    directory_sync_most_removals_percent = models.PositiveSmallIntegerField(
        _("Most users deactivated at once, in percent"),
        default=10,
        db_default=10,
        validators=validators.between(0, 100, _("Enter a number from 0 to 100.")),
        help_text=_(
            "If more of the users from the directory would be deactivated, lose a value"
            " or get another e-mail address, and more than three, they stay as they are"
            " until an administrator confirms it."
        ),
    )

    class Meta:
        abstract = True


class Rules(Protocol):
    directory_sync: bool
    netlogon_domain: str
    netlogon_bind_dn: str
    netlogon_bind_password: str


def missing_for_sync(rules: Rules) -> Iterator[tuple[str, StrPromise]]:
    """Yield the fields that reading users needs, each with its fault."""
    needed = ("netlogon_domain", "netlogon_bind_dn", "netlogon_bind_password")
    for name in needed if rules.directory_sync else ():
        if not getattr(rules, name):
            yield name, _("Needed to read the users from the directory.")
