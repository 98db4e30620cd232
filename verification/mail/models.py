"""The outgoing queue, who works on it, and the trials of e-mail accounts."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from authconfig.choices import SmtpSecurity, StepState
from authconfig.fields import SecretField
from authconfig.network import database_now
from verification.mail import kinds
from verification.mail.choices import (
    MailPriority,
    MailState,
    Part,
    SmtpStage,
    TrialState,
)

OVER = (MailState.SENT, MailState.FAILED, MailState.EXPIRED, MailState.UNKNOWN)
# Nearly every mail is of this kind; an index names it.
COMMONEST_KIND = "approval"


class OutgoingEmailQuerySet(models.QuerySet["OutgoingEmail"]):
    def ended_since(self, moment: datetime) -> Self:
        return self.filter(state__in=OVER, ended_at__gt=moment)

    def retryable(self) -> Self:
        """Still wanted, and certainly not sent already.

        A mail of which nobody knows whether it went out counts if its kind allows it.
        """
        unsent = [MailState.QUEUED, MailState.FAILED]
        rows = self.filter(expires_at__gt=database_now())
        wanted = Q(pk__in=[])
        for kind in kinds.every_kind():
            states = [*unsent, MailState.UNKNOWN] if kind.may_follow_doubt else unsent
            wanted |= Q(kind=kind.name, state__in=states) & kind.still_wanted()
        return rows.filter(wanted)

    def overdue(self) -> Self:
        return self.filter(state=MailState.QUEUED, expires_at__lte=database_now())

    def abandoned(self) -> Self:
        return self.filter(
            state=MailState.SENDING, lease_expires_at__lte=database_now()
        )


class OutgoingEmail(models.Model):
    """A mail's place in the queue; its text is made while it is sent."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=10, choices=kinds.choices)
    # The priority of its kind, kept here for the index of the claim.
    priority = models.PositiveSmallIntegerField(
        choices=MailPriority.choices, default=MailPriority.URGENT
    )
    # An alarm goes to an operator's address, which need not be a user's.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="outgoing_emails",
    )
    recipient = models.EmailField(_("recipient"))
    language = models.CharField(_("language"), max_length=8, default="en")
    state = models.CharField(
        _("state"), max_length=10, choices=MailState.choices, default=MailState.QUEUED
    )
    attempts = models.PositiveSmallIntegerField(_("tries"), default=0)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    due_at = models.DateTimeField(_("due"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires"))
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    data_began_at = models.DateTimeField(null=True, blank=True)
    # The request that queued it; the worker's log names it.
    request_id = models.CharField(max_length=64, blank=True, editable=False)
    # How often nobody knew whether the server took it.
    doubts = models.PositiveSmallIntegerField(default=0)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    stage = models.CharField(
        _("stage"), max_length=10, blank=True, choices=SmtpStage.choices
    )
    code = models.PositiveSmallIntegerField(_("server's code"), null=True, blank=True)
    # What failed if the server gave no code; the remedy is found by it.
    fault = models.CharField(max_length=24, blank=True)
    words = models.CharField(_("server's words"), max_length=500, blank=True)

    objects = OutgoingEmailQuerySet.as_manager()

    class Meta:
        verbose_name = _("outgoing e-mail")
        verbose_name_plural = _("outgoing e-mails")
        permissions = [("operate_queue", "Can operate the outgoing queue")]
        ordering = ["-created_at", "-pk"]
        constraints = [
            CheckConstraint(
                name="mail_state_is_known", condition=Q(state__in=MailState.values)
            ),
            CheckConstraint(
                name="mail_being_sent_has_a_lease",
                condition=~Q(state=MailState.SENDING)
                | Q(lease_expires_at__isnull=False),
            ),
            CheckConstraint(
                name="mail_has_ended_when_its_state_says_so",
                condition=Q(
                    state__in=[MailState.QUEUED, MailState.SENDING], ended_at=None
                )
                | (
                    ~Q(state__in=[MailState.QUEUED, MailState.SENDING])
                    & Q(ended_at__isnull=False)
                ),
            ),
            CheckConstraint(
                name="mail_priority_is_known",
                condition=Q(priority__in=MailPriority.values),
            ),
        ]
        indexes = [
            # The worker's claim: what is due, verification e-mails first.
            Index(
                name="mail_queued_by_priority",
                fields=["priority", "due_at"],
                condition=Q(state=MailState.QUEUED),
            ),
            # The sweep's "whose purpose is over?".
            Index(
                name="mail_queued_by_end",
                fields=["expires_at"],
                condition=Q(state=MailState.QUEUED),
            ),
            # The sweep's "whose worker is gone?".
            Index(
                name="mail_sending_by_lease",
                fields=["lease_expires_at"],
                condition=Q(state=MailState.SENDING),
            ),
            # The admin's list, whole or by one filter. The first index finds the state
            # and the kind of most mails as well, so the others leave these out: sending
            # has two indexes less to write.
            Index(name="mail_by_time", fields=["-created_at", "-id"]),
            Index(
                name="mail_by_state",
                fields=["state", "-created_at", "-id"],
                condition=~Q(state=MailState.SENT),
            ),
            Index(
                name="mail_by_kind",
                fields=["kind", "-created_at", "-id"],
                condition=~Q(kind=COMMONEST_KIND),
            ),
            # The last outcomes, and what retention forgets.
            Index(
                name="mail_by_end",
                fields=["-ended_at"],
                condition=Q(ended_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"


class SendingPause(models.Model):
    """While its one row is there, no worker claims a mail."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    since = models.DateTimeField(default=timezone.now)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        constraints = [
            CheckConstraint(name="sending_is_paused_once", condition=Q(id=1)),
        ]

    def __str__(self) -> str:
        return f"paused since {self.since}"


class Heartbeat(models.Model):
    """The last report of a worker, or of the scheduler that has workers sweep."""

    name = models.CharField(max_length=255, unique=True)
    kind = models.CharField(max_length=10, choices=Part.choices)
    version = models.CharField(max_length=40, blank=True)
    # How many tasks it runs at a time, and which ones now.
    slots = models.PositiveSmallIntegerField(default=0)
    work = models.CharField(max_length=500, blank=True)
    # How far the database's clock is ahead of its own, in seconds.
    clock_ahead = models.FloatField(default=0.0, db_default=0.0)
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["kind", "name"]
        constraints = [
            CheckConstraint(
                name="heartbeat_is_of_a_known_part",
                condition=Q(kind__in=Part.values),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class AccountTrial(models.Model):
    """A trial of an e-mail account, which need not be saved; a worker runs it."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="account_tests",
    )
    recipient = models.EmailField()
    language = models.CharField(max_length=8, default="en")
    server = models.CharField(max_length=260)
    port = models.PositiveIntegerField()
    security = models.CharField(max_length=10, choices=SmtpSecurity.choices)
    client_host_name = models.CharField(max_length=253, blank=True)
    sender_name = models.CharField(max_length=100, blank=True)
    email_address = models.EmailField()
    username = models.CharField(max_length=254, blank=True)
    # Emptied as soon as the trial has run.
    password = SecretField(blank=True, default="")
    # Likewise, with all that a token is asked for with; empty for a password.
    oauth2 = SecretField(blank=True, default="", db_default="")
    ca_certificate = models.TextField(blank=True)
    fingerprint = models.CharField(max_length=64)
    state = models.CharField(
        max_length=10, choices=TrialState.choices, default=TrialState.QUEUED
    )
    remedy = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            CheckConstraint(
                name="test_state_is_known",
                condition=Q(state__in=TrialState.values),
            ),
            CheckConstraint(
                name="ended_test_keeps_no_password",
                condition=Q(ended_at=None) | Q(password=""),
            ),
            CheckConstraint(
                name="ended_test_keeps_no_oauth2_secret",
                condition=Q(ended_at=None) | Q(oauth2=""),
            ),
        ]
        indexes = [
            # "Was this very account accepted by its server?"
            Index(
                name="test_accepted_by_account",
                fields=["fingerprint"],
                condition=Q(state=TrialState.ACCEPTED),
            )
        ]

    def __str__(self) -> str:
        return f"{self.server}:{self.port} {self.state}"


class AccountTrialStep(models.Model):
    test = models.ForeignKey(
        AccountTrial, on_delete=models.CASCADE, related_name="steps"
    )
    stage = models.CharField(max_length=10, choices=SmtpStage.choices)
    state = models.CharField(max_length=10, choices=StepState.choices)
    elapsed_ms = models.PositiveIntegerField(default=0)
    words = models.TextField(blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            UniqueConstraint(
                name="test_runs_a_stage_once_at_a_time",
                fields=["test", "stage"],
                condition=Q(state=StepState.STARTED),
            )
        ]

    def __str__(self) -> str:
        return f"{self.stage} {self.state}"
