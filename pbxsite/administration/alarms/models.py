"""Alarms, and the messages that tell of them."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint
from django.utils import timezone

from pbxsite.administration.alarms.choices import AlarmState, News
from pbxsite.administration.findings import AlarmKind
from verification.mail.models import OutgoingEmail


class Alarm(models.Model):
    """Something that is or was wrong, from its beginning to its end."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=12, choices=AlarmKind.choices)
    # Tells two of a kind apart: the name of the server.
    about = models.CharField(max_length=300, blank=True)
    # As the site said it last, in the site's language.
    sentence = models.TextField()
    # The path of the page where it is mended.
    link = models.CharField(max_length=300)
    state = models.CharField(
        max_length=10, choices=AlarmState.choices, default=AlarmState.SUSPECTED
    )
    began_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    over_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            CheckConstraint(
                name="alarm_kind_is_known", condition=Q(kind__in=AlarmKind.values)
            ),
            CheckConstraint(
                name="alarm_state_is_known", condition=Q(state__in=AlarmState.values)
            ),
            CheckConstraint(
                name="alarm_over_has_its_time",
                condition=Q(state=AlarmState.OVER, over_at__isnull=False)
                | (~Q(state=AlarmState.OVER) & Q(over_at=None)),
            ),
            # Several processes look at the same time.
            UniqueConstraint(
                name="alarm_is_open_once",
                fields=["kind", "about"],
                condition=~Q(state=AlarmState.OVER),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.about} {self.state}"


class AlarmMail(models.Model):
    """What an e-mail of the queue tells; a test is about no alarm."""

    mail = models.OneToOneField(
        OutgoingEmail, on_delete=models.CASCADE, related_name="alarm_mail"
    )
    news = models.CharField(max_length=12, choices=News.choices)
    alarm = models.ForeignKey(
        Alarm, null=True, on_delete=models.CASCADE, related_name="mails"
    )

    class Meta:
        constraints = [
            CheckConstraint(
                name="alarm_mail_is_a_test_or_has_an_alarm",
                condition=Q(news=News.TEST, alarm=None)
                | Q(news__in=[News.BEGAN, News.OVER], alarm__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.news} by mail {self.mail_id}"


class Call(models.Model):
    """A call of the webhook that is still to be made; the row is the queue."""

    # The same for each try, so that the receiver knows what it has already.
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    alarm = models.ForeignKey(Alarm, on_delete=models.CASCADE, related_name="calls")
    body = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now)
    tries = models.PositiveSmallIntegerField(default=0)
    fault = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["pk"]
        # The sweep's "what is due?".
        indexes = [Index(name="call_by_time", fields=["due_at"])]

    def __str__(self) -> str:
        return f"call {self.pk}, tried {self.tries} times"
