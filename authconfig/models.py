"""The rules: the one row of settings that decides who may log in, and how."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import CheckConstraint, Q
from django.utils.translation import gettext_lazy as _

from authconfig.choices import (
    AuthenticationType,
    ClientAuth,
    JwtAlgorithm,
    Method,
    NetlogonSecurity,
    OAuth2Grant,
    OversizedVoicemail,
    SmtpLogin,
    SmtpSecurity,
)
from authconfig.dependencies import DependencyState as DependencyState  # a table
from authconfig.names import typed_name
from authconfig.policy import types_using
from authconfig.settings_fields.alarms import AlarmFields
from authconfig.settings_fields.authentication import AuthenticationFields
from authconfig.settings_fields.email import EmailFields
from authconfig.settings_fields.netlogon import NetlogonFields
from authconfig.settings_fields.oauth2 import OAuth2Fields
from authconfig.settings_fields.smtp_login import SmtpLoginFields
from authconfig.settings_fields.synchronisation import SynchronisationFields

USES_NETLOGON = Q(authentication_type__in=types_using(Method.NETLOGON))
USES_OAUTH2 = Q(authentication_type__in=types_using(Method.OAUTH2))


def _is_known(field: str, choices: type[models.TextChoices]) -> CheckConstraint:
    known = Q(**{f"{field}__in": choices.values})
    return CheckConstraint(name=f"{field}_is_known", condition=known)


def _is_between(field: str, lowest: int, highest: int) -> CheckConstraint:
    allowed = Q(**{f"{field}__range": (lowest, highest)})
    name = f"{field}_from_{lowest}_to_{highest}"
    return CheckConstraint(name=name, condition=allowed)


class AuthenticationSettings(
    AuthenticationFields,
    EmailFields,
    SmtpLoginFields,
    NetlogonFields,
    SynchronisationFields,
    OAuth2Fields,
    AlarmFields,
):
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("authentication")
        verbose_name_plural = _("authentication")
        constraints = [
            CheckConstraint(name="settings_are_one_row", condition=Q(id=1)),
            _is_known("authentication_type", AuthenticationType),
            _is_between("password_min_length", 8, 64),
            _is_between("forgotten_password_minutes", 5, 1440),
            _is_between("invitation_hours", 1, 720),
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
            _is_between("smtp_connections", 1, 20),
            _is_between("smtp_mails_per_connection", 1, 1000),
            _is_known("voicemail_oversized", OversizedVoicemail),
            _is_known("smtp_login", SmtpLogin),
            _is_known("smtp_oauth2_grant", OAuth2Grant),
            _is_known("smtp_oauth2_client_auth", ClientAuth),
            _is_known("smtp_oauth2_algorithm", JwtAlgorithm),
            CheckConstraint(
                name="smtp_oauth2_login_has_endpoint_and_mailbox",
                condition=Q(smtp_login=SmtpLogin.PASSWORD)
                | (~Q(smtp_oauth2_token_url="") & ~Q(smtp_username="")),
            ),
            # Unlike a password, a token does not even go to this machine in clear text.
            CheckConstraint(
                name="smtp_oauth2_login_is_encrypted",
                condition=Q(smtp_login=SmtpLogin.PASSWORD)
                | ~Q(smtp_security=SmtpSecurity.NONE),
            ),
            _is_known("netlogon_security", NetlogonSecurity),
            _is_between("directory_sync_minutes", 5, 1440),
            _is_between("directory_sync_most_removals_percent", 0, 100),
            _is_between("oauth2_session_hours", 1, 2160),
            _is_between("scim_most_removals_percent", 0, 100),
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
            CheckConstraint(
                name="alarm_webhook_has_a_secret",
                condition=Q(alarm_webhook_url="") | ~Q(alarm_webhook_secret=""),
            ),
        ]

    def __str__(self) -> str:
        return str(_("Authentication"))

    @classmethod
    def load(cls) -> Self:
        """Read the row; a fresh site gets one with the default values."""
        return cls.objects.get_or_create(pk=1)[0]

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Show each constraint its own columns, where Django shows it all of them."""
        faults: dict[str, list[ValidationError]] = {}
        for constraint in self._meta.constraints:
            assert isinstance(constraint, CheckConstraint)
            assert isinstance(constraint.condition, Q)
            own = constraint.condition.referenced_base_fields
            others = MODEL_FIELDS.keys() - own
            try:
                constraint.validate(
                    type(self), self, exclude=others.union(exclude or ())
                )
            except ValidationError as fault:
                faults = fault.update_error_dict(faults)
        if faults:
            raise ValidationError(faults)

    @property
    def netbios_name(self) -> str:
        return self.netlogon_netbios_name or self.netlogon_domain.partition(".")[0]

    def login_name(self, entered: str) -> str:
        """Return the name of the PBX user that the login form takes this entry for."""
        domains = (self.pbx_domain, self.netlogon_domain)
        return typed_name(entered, domains=domains, netbios=self.netbios_name)


MODEL_FIELDS = {field.name: field for field in AuthenticationSettings._meta.fields}


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
