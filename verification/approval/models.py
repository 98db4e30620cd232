"""Logins that wait for approval, and which e-mails are about them."""

from __future__ import annotations

import uuid
from typing import Self

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from authconfig.choices import Method
from authconfig.clients.choices import Kind
from verification.approval.choices import Ending, LoginState
from verification.mail.models import OutgoingEmail
from verification.sessions import factors
from verification.sessions.choices import Approver
from verification.sessions.user_agents import browser_text


class LoginSessionQuerySet(models.QuerySet["LoginSession"]):
    def live(self) -> Self:
        """Expiry is a time and no state, so a late sweeper is no hole."""
        return self.filter(expires_at__gt=timezone.now())

    def pending(self) -> Self:
        return self.live().filter(state=LoginState.PENDING)

    def unfinished(self) -> Self:
        return self.live().filter(state__in=[LoginState.PENDING, LoginState.ACCEPTED])

    def over(self) -> Self:
        return self.exclude(state=LoginState.PENDING, expires_at__gt=timezone.now())


class LoginSession(models.Model):
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="login_sessions",
    )
    kind = models.CharField(_("client"), max_length=10, choices=Kind.choices)
    method = models.CharField(_("method"), max_length=10, choices=Method.choices)
    state = models.CharField(
        _("state"),
        max_length=10,
        choices=LoginState.choices,
        default=LoginState.PENDING,
    )
    ending = models.CharField(
        _("ending"), max_length=12, blank=True, choices=Ending.choices
    )
    approver = models.CharField(
        _("decided by"), max_length=10, blank=True, choices=Approver.choices
    )
    address = models.GenericIPAddressField(_("address"), null=True)
    user_agent = models.CharField(_("browser"), max_length=200, blank=True)
    language = models.CharField(_("language"), max_length=8, default="en")
    # A second factor that was shown, and counts once the login was approved.
    factor = models.ForeignKey(
        Authenticator,
        verbose_name=_("second factor"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
    )
    # If it differs at the end, the password was changed while the login was pending.
    auth_hash = models.CharField(max_length=128, editable=False)
    code_tries = models.PositiveSmallIntegerField(_("codes tried"), default=0)
    link_number = models.PositiveSmallIntegerField(_("links sent"), default=1)
    created_at = models.DateTimeField(_("started"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires"))
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)

    objects = LoginSessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("login session")
        verbose_name_plural = _("login sessions")
        ordering = ["-created_at", "-pk"]
        constraints = [
            CheckConstraint(
                name="login_state_is_known", condition=Q(state__in=LoginState.values)
            ),
            CheckConstraint(
                name="login_decided_unless_pending",
                condition=Q(state=LoginState.PENDING, decided_at=None)
                | (~Q(state=LoginState.PENDING) & Q(decided_at__isnull=False)),
            ),
            CheckConstraint(
                name="login_rejected_has_an_ending",
                condition=(Q(state=LoginState.REJECTED) & ~Q(ending=""))
                | (~Q(state=LoginState.REJECTED) & Q(ending="")),
            ),
            CheckConstraint(
                name="login_tries_at_most_three_codes", condition=Q(code_tries__lte=3)
            ),
            UniqueConstraint(
                name="user_has_one_pending_login",
                fields=["user"],
                condition=Q(state=LoginState.PENDING),
            ),
        ]
        indexes = [
            # The waits after a rejection, and a user's history in the admin.
            Index(name="login_by_user", fields=["user", "-created_at"]),
            # Asked when a second factor is removed.
            Index(
                name="login_by_factor",
                fields=["factor"],
                condition=Q(factor__isnull=False),
            ),
            # The tally of how long approvals took.
            Index(
                name="login_by_decision",
                fields=["decided_at"],
                condition=Q(decided_at__isnull=False),
            ),
            # The admin's list, all of it or by one filter.
            Index(name="login_by_time", fields=["-created_at", "-id"]),
            Index(name="login_by_state", fields=["state", "-created_at", "-id"]),
            Index(name="login_by_kind", fields=["kind", "-created_at", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.state}"

    @property
    def status(self) -> str:
        """Return the state, or how the login ended: an ending or "expired"."""
        if self.state == LoginState.REJECTED:
            return self.ending
        if self.state != LoginState.COMPLETED and self.expires_at <= timezone.now():
            return "expired"
        return self.state

    @property
    def browser_text(self) -> str:
        return browser_text(self.user_agent)

    @property
    def factor_text(self) -> str:
        return factors.name_of(self.factor) if self.factor else ""


class LoginMail(models.Model):
    """Which login an e-mail is about."""

    mail = models.OneToOneField(
        OutgoingEmail,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="login_mail",
    )
    login = models.ForeignKey(
        LoginSession, on_delete=models.CASCADE, related_name="mails"
    )
    # The number of its link; None where the mail only tells of the login.
    link_number = models.PositiveSmallIntegerField(null=True)

    class Meta:
        constraints = [
            UniqueConstraint(
                name="login_has_one_mail_for_each_link", fields=["login", "link_number"]
            ),
        ]

    def __str__(self) -> str:
        return f"mail {self.mail_id} of login {self.login_id}"
