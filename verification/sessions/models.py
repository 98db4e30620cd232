"""How second factors were approved, where users are known, and how tries failed."""

from __future__ import annotations

import uuid

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from authconfig.clients.choices import Kind
from authconfig.fields import SecretField
from verification.mail.models import OutgoingEmail
from verification.sessions.choices import FactorApprover, FactorChange, Guessed, Source


class FactorBinding(models.Model):
    """How the session was approved in which a factor was added, or a login with it.

    A factor without an approver was added by somebody who may have known the password
    alone. One without a row is older than this table, and nothing is known of it.
    Neither counts (NIST SP 800-63B-4, section 4).
    """

    factor = models.OneToOneField(
        Authenticator,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="binding",
    )
    approver = models.CharField(
        _("approved by"), max_length=10, blank=True, choices=FactorApprover.choices
    )
    approved_at = models.DateTimeField(_("approved"), null=True, blank=True)

    class Meta:
        constraints = [
            CheckConstraint(
                name="factor_counts_by_a_known_approver",
                condition=Q(approver="", approved_at=None)
                | Q(approver__in=FactorApprover.values, approved_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"factor {self.factor_id} {self.approver}"


class FactorMail(models.Model):
    """What a mail about second factors tells; `type` is "" for all or any of them.

    It holds no name of a passkey: whoever added it chose that.
    """

    mail = models.OneToOneField(
        OutgoingEmail,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="factor_mail",
    )
    # "" where wrong codes were entered.
    change = models.CharField(max_length=10, blank=True, choices=FactorChange.choices)
    type = models.CharField(
        max_length=20, blank=True, choices=Authenticator.Type.choices
    )
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            CheckConstraint(
                name="factor_mail_tells_of_a_known_change",
                condition=Q(change__in=["", *FactorChange.values]),
            ),
        ]

    def __str__(self) -> str:
        return f"mail {self.mail_id} of a factor {self.change}"


class KnownAddress(models.Model):
    """An address with a login that was completed; no session has to live there."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="known_addresses",
        db_index=False,
    )
    kind = models.CharField(max_length=10, choices=Kind.choices)
    # Of IPv6 the network of 64 bits: a device changes the rest as it likes.
    address = models.GenericIPAddressField()
    # Whether somebody, or a second factor, approved the last login there.
    is_approved = models.BooleanField(default=False)
    last_success_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            CheckConstraint(
                name="known_address_kind_is_known", condition=Q(kind__in=Kind.values)
            ),
            UniqueConstraint(
                name="known_address_is_one_row", fields=["user", "kind", "address"]
            ),
        ]
        indexes = [
            # The cleanup's only query.
            Index(name="known_address_by_success", fields=["last_success_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.address}"


class FailureCount(models.Model):
    """How many tries of a user failed since one succeeded; unknown names have none."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="failure_counts",
        db_index=False,
    )
    guessed = models.CharField(max_length=16, choices=Guessed.choices)
    source = models.CharField(max_length=10, choices=Source.choices)
    in_row = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            CheckConstraint(
                name="failure_count_is_of_a_guess",
                condition=Q(guessed__in=Guessed.values),
            ),
            CheckConstraint(
                name="failure_count_has_a_source", condition=Q(source__in=Source.values)
            ),
            UniqueConstraint(
                name="failure_count_is_one_row", fields=["user", "guessed", "source"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.guessed} {self.source}: {self.in_row}"


class ProviderLogin(models.Model):
    """A login at the OpenID provider: what ends it, and what it is re-checked by.

    It waits for its session, and goes with it.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    session = models.OneToOneField(
        UserSession,
        null=True,
        on_delete=models.CASCADE,
        related_name="provider_login",
    )
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    # By which the provider names the session there; "" if it does not.
    sid = models.CharField(max_length=500, blank=True)
    refresh_token = SecretField(blank=True, default="")
    began_at = models.DateTimeField(default=timezone.now)
    # When the provider last vouched for the login.
    proved_at = models.DateTimeField(default=timezone.now)
    next_check_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            CheckConstraint(
                name="provider_login_is_of_an_account",
                condition=~Q(issuer="") & ~Q(subject=""),
            ),
            CheckConstraint(
                name="provider_login_of_a_session_is_checked",
                condition=Q(session=None, next_check_at=None)
                | Q(session__isnull=False, next_check_at__isnull=False),
            ),
        ]
        indexes = [
            # Whom a logout token is about.
            Index(name="provider_login_by_account", fields=["issuer", "subject"]),
            Index(
                name="provider_login_by_sid",
                fields=["issuer", "sid"],
                condition=~Q(sid=""),
            ),
            # What the provider has to be asked about.
            Index(
                name="provider_login_by_check",
                fields=["next_check_at"],
                condition=~Q(refresh_token=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} ({self.issuer})"


class SpentLogoutToken(models.Model):
    """A logout token that has done its work: it ends nothing a second time."""

    # Of its issuer and `jti`.
    digest = models.CharField(max_length=64, unique=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        # What is forgotten.
        indexes = [Index(name="spent_logout_token_by_time", fields=["at"])]

    def __str__(self) -> str:
        return self.digest
