"""Voicemails, and the key by which the PBX posts them."""

from __future__ import annotations

from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from verification.mail.models import OutgoingEmail


class Voicemail(models.Model):
    """What the mail of a voicemail says; the recording lies in a storage of its own."""

    mail = models.OneToOneField(
        OutgoingEmail, on_delete=models.CASCADE, related_name="voicemail"
    )
    caller_number = models.CharField(_("caller's number"), max_length=64, blank=True)
    caller_name = models.CharField(_("caller's name"), max_length=150, blank=True)
    recorded_at = models.DateTimeField(_("recorded"), default=timezone.now)
    # In seconds.
    duration = models.PositiveIntegerField(_("duration"), null=True, blank=True)
    # The file's name in the storage; emptied when the mail is over.
    recording = models.CharField(max_length=100, blank=True)
    content_type = models.CharField(max_length=40)
    # The sender's name for this very request, and a digest of its content.
    idempotency_key = models.CharField(max_length=255, blank=True)
    request_digest = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("voicemail")
        verbose_name_plural = _("voicemails")
        constraints = [
            UniqueConstraint(
                name="idempotency_key_names_one_voicemail",
                fields=["idempotency_key"],
                condition=~Q(idempotency_key=""),
            ),
        ]
        indexes = [
            # The sweep asks whose file this is, and which files are still kept.
            Index(
                name="voicemail_by_recording",
                fields=["recording"],
                condition=~Q(recording=""),
            ),
        ]

    def __str__(self) -> str:
        return f"voicemail {self.pk} of mail {self.mail_id}"

    @property
    def caller(self) -> str:
        if self.caller_name and self.caller_number:
            return f"{self.caller_name} ({self.caller_number})"
        return self.caller_name or self.caller_number

    @property
    def duration_text(self) -> str:
        minutes, seconds = divmod(self.duration or 0, 60)
        hours, minutes = divmod(minutes, 60)
        if hours:
            return f"{hours}:{minutes:02}:{seconds:02}"
        return f"{minutes}:{seconds:02}"


class VoicemailKey(models.Model):
    """The PBX's key for posting voicemails; there is one at most, kept as a digest."""

    digest = models.CharField(max_length=64)
    made_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            CheckConstraint(name="voicemail_key_is_one_row", condition=Q(id=1))
        ]

    def __str__(self) -> str:
        return f"voicemail key of {self.made_at}"
