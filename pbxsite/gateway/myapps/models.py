"""Sessions of myApps clients, and their logins that go on in a browser."""

from __future__ import annotations

import uuid
from typing import Self

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, Index, Q, TextChoices
from django.utils import timezone

from authconfig.fields import SecretField
from verification.sessions.choices import Source


class ClientSession(models.Model):
    """What a client shows of its session; it goes with the session's row.

    `public_id` is the name by which the client logs in again, 32 hex digits.
    """

    session = models.OneToOneField(
        UserSession,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="client_session",
    )
    public_id = models.CharField(max_length=32, unique=True)
    password = SecretField()
    # If it differs from the user's, the password was changed since.
    auth_hash = models.CharField(max_length=128)

    class Meta:
        constraints = [
            CheckConstraint(
                name="client_session_has_a_password",
                condition=~Q(password="") & ~Q(public_id=""),
            ),
        ]

    def __str__(self) -> str:
        return f"session {self.pk}"


class BrowserState(TextChoices):
    ASKED = "asked"
    CONFIRMED = "confirmed"
    # The browser's user has shown who they are.
    SHOWN = "shown"
    TAKEN = "taken"
    FAILED = "failed"


class BrowserLoginQuerySet(models.QuerySet["BrowserLogin"]):
    def live(self) -> Self:
        return self.filter(expires_at__gt=timezone.now())


class BrowserLogin(models.Model):
    """A client's login that goes on in a browser; it goes when the connection ends.

    `public_id` is the secret of the address that the client shows. What the browser has
    shown stands here until the connection takes it: user, account at the provider,
    second factor.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    state = models.CharField(
        max_length=10, choices=BrowserState.choices, default=BrowserState.ASKED
    )
    user_agent = models.CharField(max_length=200, blank=True)
    address = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+"
    )
    issuer = models.TextField(blank=True)
    subject = models.TextField(blank=True)
    # The row by which the provider ends the login.
    provider_login = models.CharField(
        max_length=32, blank=True, default="", db_default=""
    )
    factor = models.ForeignKey(
        Authenticator, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    is_used_up = models.BooleanField(default=False)
    source = models.CharField(
        max_length=10, choices=Source.choices, default=Source.ELSEWHERE
    )
    auth_hash = models.CharField(max_length=128, blank=True)

    objects = BrowserLoginQuerySet.as_manager()

    class Meta:
        constraints = [
            CheckConstraint(
                name="browser_login_state_is_known",
                condition=Q(state__in=BrowserState.values),
            ),
            CheckConstraint(
                name="browser_login_that_is_shown_has_a_user",
                condition=~Q(state__in=[BrowserState.SHOWN, BrowserState.TAKEN])
                | Q(user__isnull=False) & ~Q(auth_hash="") & ~Q(issuer=""),
            ),
        ]
        indexes = [
            # The clean-up's only query.
            Index(name="browser_login_by_expiry", fields=["expires_at"]),
        ]

    def __str__(self) -> str:
        return f"browser login {self.pk} {self.state}"
