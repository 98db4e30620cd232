"""The tables of PBX users and of the audit log."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from authconfig.choices import Event, Method
from authconfig.clients.choices import Kind
from authconfig.fields import NameKeyField, SecretField
from authconfig.names import name_key, without_invisible
from authconfig.users.passwords import PasswordUser
from authconfig.validators import (
    validate_extension_number,
    validate_login_name,
    validate_one_line,
    validate_time_zone,
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


class PbxUser(PasswordUser, PermissionsMixin):
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
        validators=[validate_extension_number],
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
            # Counts and lists users whom no verification e-mail reaches.
            Index(
                name="user_without_email", fields=["name_key"], condition=Q(email="")
            ),
            # The list of users by one filter.
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

    def __str__(self) -> str:
        return self.name

    @classmethod
    def normalize_username(cls, username: str) -> str:
        return without_invisible(super().normalize_username(username))

    def get_full_name(self) -> str:
        return self.long_name or self.name

    def get_short_name(self) -> str:
        return self.name


class KeptPassword(models.Model):
    """A PBX password that can be read again: a digest of it proves a login.

    Only `kept_passwords` writes and reads it.
    """

    user = models.OneToOneField(
        PbxUser, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    password = SecretField()
    # The hash that it belongs to, as PbxUser.is_bound_by reads it.
    bound_to = models.CharField(max_length=128)

    class Meta:
        constraints = [
            CheckConstraint(
                name="kept_password_is_there_and_bound",
                condition=~Q(password="") & ~Q(bound_to=""),
            ),
        ]

    def __str__(self) -> str:
        return str(self.user)


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
    # Of an actor who was deleted or erased since.
    actor_name = models.CharField(
        max_length=150, blank=True, default="", db_default="", editable=False
    )
    kind = models.CharField(
        _("client"), max_length=10, blank=True, choices=Kind.choices
    )
    method = models.CharField(
        _("method"), max_length=10, blank=True, choices=Method.choices
    )
    address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    user_agent = models.CharField(_("browser"), max_length=200, blank=True)
    detail = models.TextField(_("detail"), blank=True)
    # The digest of the rules by which a login or a trial succeeded.
    proof = models.CharField(max_length=16, blank=True, editable=False)

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit log")
        ordering = ["-at", "-pk"]
        indexes = [
            # "Has this user logged in by this method recently?"
            Index(name="audit_by_user", fields=["user", "event", "-at"]),
            # A user's last events, shown under Account security.
            Index(name="audit_by_user_and_time", fields=["user", "-at"]),
            # The whole list of events, and the oldest ones, which are deleted.
            Index(name="audit_by_time", fields=["-at", "-id"]),
            # Also counts the logins of the last day.
            Index(name="audit_by_event", fields=["event", "-at", "-id"]),
            # The events of mails, which are most, have none of these fields.
            Index(
                name="audit_by_actor",
                fields=["actor"],
                condition=Q(actor__isnull=False),
            ),
            Index(
                name="audit_by_kind",
                fields=["kind", "-at", "-id"],
                condition=~Q(kind=""),
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

    @property
    def by(self) -> str:
        """The name of the actor, also of one whose row is gone; "" where none is."""
        return str(self.actor or self.actor_name)


class SettingChange(models.Model):
    """A change of one setting, which can be taken back; of a secret only who and when.

    The values are written as a form posts them.
    """

    at = models.DateTimeField(default=timezone.now)
    field = models.CharField(max_length=64)
    before = models.TextField(blank=True)
    after = models.TextField(blank=True)
    is_secret = models.BooleanField(default=False)
    # Empty: somebody on the server's command line.
    actor_name = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            CheckConstraint(
                name="secret_setting_shows_no_value",
                condition=Q(is_secret=False) | Q(before="", after=""),
            ),
        ]
        indexes = [
            # A field's last change, which the page of the settings shows.
            Index(name="change_by_field", fields=["field", "-id"]),
            # The oldest ones, which are deleted.
            Index(name="change_by_time", fields=["at"]),
        ]

    def __str__(self) -> str:
        return f"{self.field} ({self.actor_name})"
