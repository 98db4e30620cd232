"""The tokens that are kept, and who renews them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import CheckConstraint, Q
from django.utils import timezone

from authconfig.fields import SecretField

# Renewed so long before its end, or in the last third of a short life. The clocks of
# several machines may differ by a minute, and a provider may be away for some.
RENEWED_BEFORE = timedelta(minutes=10)


class KeptToken(models.Model):
    """The access token of one configuration, with what renews it.

    `generation` grows with each token that is stored, `renewals` with each worker that
    begins to renew: a worker whose lease ran out changes no more than it may.
    """

    key = models.CharField(max_length=64, unique=True)
    access_token = SecretField(blank=True, default="")
    refresh_token = SecretField(blank=True, default="")
    scope = models.CharField(max_length=500, blank=True)
    # Whom the provider named when this site was authorized; may be unknown.
    account = models.CharField(max_length=254, blank=True)
    authorized_at = models.DateTimeField(null=True, blank=True)
    obtained_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    generation = models.PositiveIntegerField(default=0)
    renewals = models.PositiveIntegerField(default=0)
    # The lease of the worker that renews it now, or died while it did.
    renewing_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    # The last renewal, if it failed: why, since when, how often in a row, with what.
    fault = models.CharField(max_length=24, blank=True)
    words = models.CharField(max_length=500, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveSmallIntegerField(default=0)
    failed_with = models.CharField(max_length=64, blank=True)
    next_try_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            CheckConstraint(
                name="kept_token_has_its_times",
                condition=Q(access_token="")
                | Q(obtained_at__isnull=False, expires_at__isnull=False),
            ),
            CheckConstraint(
                name="failed_renewal_has_a_time_and_a_cause",
                condition=Q(fault="", failed_at=None)
                | (~Q(fault="") & Q(failed_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"token {self.pk}, generation {self.generation}"

    @property
    def serves(self) -> bool:
        if not (self.access_token and self.expires_at):
            return False
        return self.expires_at > timezone.now()

    @property
    def renewal_due_at(self) -> datetime | None:
        if not (self.access_token and self.obtained_at and self.expires_at):
            return None
        lifetime = self.expires_at - self.obtained_at
        return self.expires_at - min(RENEWED_BEFORE, lifetime / 3)
