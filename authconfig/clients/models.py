"""The table of client applications."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import CheckConstraint, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from authconfig.clients.choices import AsksBy, Icon, Kind
from authconfig.clients.return_urls import is_allowed, validate_return_urls
from authconfig.fields import SecretField
from authconfig.validators import validate_one_line, validate_secure_url

validate_slug = RegexValidator(
    r"\A[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\Z",
    _("Use lower-case letters a to z, digits and hyphens alone: voicemail-2."),
    code="slug",
)


class ClientApplicationQuerySet(models.QuerySet["ClientApplication"]):
    def asking_by(self, way: AsksBy) -> ClientApplicationQuerySet:
        return self.filter(asks_by__in=[way, AsksBy.BOTH])

    def tiles_of(self, kind: Kind) -> ClientApplicationQuerySet:
        shown = self.filter(kind=kind).exclude(start_url="")
        return shown.order_by(Lower("name"), "pk")


class ClientApplication(models.Model):
    name = models.CharField(
        _("name"),
        max_length=60,
        validators=[validate_one_line],
        help_text=_("What users call it; it stands on the tile."),
    )
    slug = models.CharField(
        _("short name"),
        max_length=40,
        unique=True,
        validators=[validate_slug],
        help_text=_("Part of addresses: /forward-auth/short-name/"),
        error_messages={"unique": _("Another client has this short name.")},
    )
    kind = models.CharField(
        _("kind"),
        max_length=10,
        choices=Kind.choices,
        default=Kind.MYAPPS,
        help_text=_(
            "Decides how users log in to it: two-factor authentication and OAuth2 are"
            " for myApps alone. Only sessions of the same kind open it."
        ),
    )
    icon = models.CharField(
        _("icon"), max_length=12, choices=Icon.choices, default=Icon.APPS
    )
    start_url = models.CharField(
        _("start URL"),
        max_length=500,
        blank=True,
        validators=[validate_secure_url],
        help_text=_(
            "Where its tile leads, and a login that wanted nothing else:"
            " https://apps.example.com/. Empty: no tile."
        ),
    )
    return_urls = models.TextField(
        _("allowed return URLs"),
        blank=True,
        validators=[validate_return_urls],
        help_text=_(
            "One in each line: an origin, also with the beginning of a path, such as"
            " https://apps.example.com/voicemail/. A login leads back to these alone."
        ),
    )
    asks_by = models.CharField(
        _("how it asks"),
        max_length=12,
        choices=AsksBy.choices,
        default=AsksBy.FORWARD_AUTH,
        help_text=_("How it learns who its visitor is."),
    )
    is_own = models.BooleanField(
        _("our own"),
        default=False,
        help_text=_(
            "Users are not asked whether it may know who they are. Tick this only for"
            " what your organisation runs itself."
        ),
    )

    tells_groups = models.BooleanField(
        _("is told groups"),
        default=False,
        db_default=False,
        help_text=_(
            "It learns the names of the groups that its visitor is in: in the header"
            " Remote-Groups, and in the claim groups."
        ),
    )

    app_password = SecretField(
        _("app password"),
        blank=True,
        default="",
        db_default="",
        help_text=_(
            "The password that an app service shares with the telephone system. With"
            " it the service can check who is logged in to the myApps client that opens"
            " it. Empty: no myApps client is given such a proof."
        ),
    )

    objects = ClientApplicationQuerySet.as_manager()

    class Meta:
        verbose_name = _("client application")
        verbose_name_plural = _("client applications")
        ordering = ["name", "pk"]
        constraints = [
            CheckConstraint(
                name="client_has_a_name_and_a_short_name",
                condition=~Q(name="") & ~Q(slug=""),
            ),
            CheckConstraint(
                name="client_kind_is_known", condition=Q(kind__in=Kind.values)
            ),
            CheckConstraint(
                name="client_called_as_a_kind_is_of_it",
                condition=(~Q(slug=Kind.MYAPPS) | Q(kind=Kind.MYAPPS))
                & (~Q(slug=Kind.MYPBX) | Q(kind=Kind.MYPBX)),
            ),
            CheckConstraint(
                name="client_icon_is_known", condition=Q(icon__in=Icon.values)
            ),
            CheckConstraint(
                name="client_asks_in_a_known_way",
                condition=Q(asks_by__in=AsksBy.values),
            ),
            CheckConstraint(
                name="client_starts_at_a_web_address",
                condition=Q(start_url="")
                | Q(start_url__startswith="https://")
                | Q(start_url__startswith="http://"),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_from_the_start(self) -> bool:
        return self.slug in Kind.values

    @property
    def icon_template(self) -> str:
        return f"icons/{self.icon}.svg"

    @property
    def forward_auth_address(self) -> str:
        return f"{settings.SITE_URL}/forward-auth/{self.slug}/"

    def asks(self, way: AsksBy) -> bool:
        return self.asks_by in (way, AsksBy.BOTH)

    def allows(self, url: str) -> bool:
        return is_allowed(url, self.return_urls.splitlines())

    def clean_fields(self, *args: Any, **kwargs: Any) -> None:
        lines = (line.strip() for line in self.return_urls.splitlines())
        self.return_urls = "\n".join(line for line in lines if line)
        super().clean_fields(*args, **kwargs)
