"""Voicemails, and the key by which the PBX posts them."""

from __future__ import annotations

import re
import uuid

from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from authconfig.fields import SecretField
from authconfig.users.bearer_keys import BearerKey
from verification.mail.models import OutgoingEmail
from verification.voicemail.audio.sound import suffix_of

# These are taken out of a caller's number for the name of a file.
UNSAFE = re.compile(r"[^0-9A-Za-z+-]+")


class Call(models.Model):
    """Who left a message, when, and for how long."""

    caller_number = models.CharField(_("caller's number"), max_length=64, blank=True)
    caller_name = models.CharField(_("caller's name"), max_length=150, blank=True)
    recorded_at = models.DateTimeField(_("recorded"), default=timezone.now)
    # In seconds.
    duration = models.PositiveIntegerField(_("duration"), null=True, blank=True)
    content_type = models.CharField(max_length=40)

    class Meta:
        abstract = True

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

    def file_name(self, content_type: str) -> str:
        """Return the name under which its recording is attached or saved."""
        at = timezone.localtime(self.recorded_at)
        caller = UNSAFE.sub("", self.caller_number)
        parts = ["voicemail", f"{at:%Y-%m-%d_%H-%M-%S}", caller]
        return "_".join(part for part in parts if part) + suffix_of(content_type)


class KeptRecording(Call):
    """A recording that fits into no mail: its user hears it here for some days.

    Its file is encrypted with a key of its own, which the row holds encrypted: without
    the row nobody reads the file.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="kept_recordings",
    )
    # The file's name in the storage, and its size there.
    file = models.CharField(max_length=100, unique=True)
    size = models.PositiveIntegerField()
    key = SecretField()
    kept_until = models.DateTimeField()

    class Meta:
        verbose_name = _("kept recording")
        verbose_name_plural = _("kept recordings")
        ordering = ["-recorded_at", "-pk"]
        constraints = [
            CheckConstraint(name="kept_recording_has_a_key", condition=~Q(key="")),
        ]
        # The sweep's "what is over?".
        indexes = [Index(name="kept_recording_by_end", fields=["kept_until"])]

    def __str__(self) -> str:
        return f"kept recording {self.pk}"


class Voicemail(Call):
    """What the mail of a voicemail says; the recording lies in a storage of its own."""

    mail = models.OneToOneField(
        OutgoingEmail, on_delete=models.CASCADE, related_name="voicemail"
    )
    # The file's name in the storage; emptied when the mail is over.
    recording = models.CharField(max_length=100, blank=True)
    # The sender's name for this very request, and a digest of its content.
    idempotency_key = models.CharField(max_length=255, blank=True)
    request_digest = models.CharField(max_length=64)
    # When the mail server found it too large; what the mail has instead is the smaller
    # file, or a link to what is kept.
    oversized_at = models.DateTimeField(null=True, blank=True)
    smaller = models.CharField(max_length=100, blank=True, db_default="")
    kept = models.OneToOneField(
        KeptRecording,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="voicemail",
    )

    class Meta:
        verbose_name = _("voicemail")
        verbose_name_plural = _("voicemails")
        constraints = [
            UniqueConstraint(
                name="idempotency_key_names_one_voicemail",
                fields=["idempotency_key"],
                condition=~Q(idempotency_key=""),
            ),
            CheckConstraint(
                name="only_oversized_voicemails_have_another_form",
                condition=Q(oversized_at__isnull=False) | Q(smaller="", kept=None),
            ),
        ]
        indexes = [
            # The sweep asks whose file this is, and which files are still kept.
            Index(
                name="voicemail_by_recording",
                fields=["recording"],
                condition=~Q(recording=""),
            ),
            Index(
                name="voicemail_by_smaller",
                fields=["smaller"],
                condition=~Q(smaller=""),
            ),
            # What administrators are told of.
            Index(
                name="voicemail_oversized_by_time",
                fields=["oversized_at"],
                condition=Q(oversized_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"voicemail {self.pk} of mail {self.mail_id}"


class VoicemailKey(BearerKey):
    """The PBX's key for posting voicemails; there is one at most, kept as a digest."""

    class Meta:
        constraints = [
            CheckConstraint(name="voicemail_key_is_one_row", condition=Q(id=1))
        ]

    def __str__(self) -> str:
        return f"voicemail key of {self.made_at}"
