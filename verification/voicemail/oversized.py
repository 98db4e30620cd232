"""What becomes of a recording that the mail server finds too large."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.conf import settings
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone

from authconfig.choices import OversizedVoicemail
from authconfig.models import current_rules
from authconfig.network import database_now
from verification.mail.choices import MailState
from verification.mail.kinds import Smaller
from verification.mail.models import OutgoingEmail
from verification.mail.sending import wake_due
from verification.redis_access import wake_worker
from verification.voicemail import kept, recordings
from verification.voicemail.audio import opus
from verification.voicemail.audio.sound import OGG
from verification.voicemail.models import Voicemail

logger = logging.getLogger(__name__)
TOLD_ANEW_SECONDS = 30
# After so long no worker makes a smaller recording; the mail gets the link.
MAKING_TTL = timedelta(minutes=10)


@dataclass(frozen=True)
class Oversized:
    """What administrators are told: of how many recordings, and what is kept."""

    count: int
    kept_bytes: int
    most_bytes: int


def oversized_lately() -> Oversized:
    """Count as far back as anything of it is kept; busy pages ask again and again."""
    found = cache.get_or_set("voicemail.oversized", _counted, TOLD_ANEW_SECONDS)
    count, kept_bytes = found or (0, 0)
    return Oversized(count, kept_bytes, settings.VOICEMAIL_KEPT_BYTES)


def _counted() -> list[int]:
    since = timezone.now() - kept.KEPT_FOR
    count = Voicemail.objects.filter(oversized_at__gt=since).count()
    return [count, kept.bytes_kept() if count else 0]


@shared_task
def make_smaller_recordings() -> None:
    make_waiting_smaller()


def make_smaller(mail: OutgoingEmail) -> Smaller:
    """Give the mail a link in place of its recording, or have Opus made of that.

    Opus takes a while, in which the thread that asks has other mails to send.
    """
    voicemail: Voicemail = mail.voicemail
    if voicemail.kept_id or not voicemail.recording:
        return Smaller.IMPOSSIBLE
    if not _may_become_opus(voicemail):
        return _keep(voicemail)
    if voicemail.oversized_at is None:
        _change(voicemail, oversized_at=timezone.now())
    wake_worker(make_smaller_recordings)
    return Smaller.SOON


def _may_become_opus(voicemail: Voicemail) -> bool:
    if current_rules().voicemail_oversized != OversizedVoicemail.OPUS:
        return False
    if not opus.is_installed():
        logger.warning("opusenc is not installed here: a link goes instead of Opus")
        return False
    since = voicemail.oversized_at or timezone.now()
    return not voicemail.smaller and timezone.now() - since <= MAKING_TTL


def make_waiting_smaller() -> None:
    waiting = Voicemail.objects.filter(
        oversized_at__isnull=False,
        smaller="",
        kept=None,
        mail__state=MailState.QUEUED,
    )
    for voicemail in waiting.exclude(recording="").select_related("mail__user"):
        try:
            is_smaller = _attach_opus(voicemail) or _keep(voicemail) is Smaller.DONE
        except OSError as error:
            logger.warning("%s: not made smaller (%s)", voicemail, error)
        else:
            if is_smaller:
                _send_now(voicemail)


def _send_now(voicemail: Voicemail) -> None:
    mail = OutgoingEmail.objects.filter(pk=voicemail.mail_id, state=MailState.QUEUED)
    mail.update(due_at=database_now())
    wake_due()


def _attach_opus(voicemail: Voicemail) -> bool:
    content = opus.smaller(recordings.read(voicemail.recording))
    if content is None:
        return False
    name = recordings.keep(ContentFile(content), OGG.suffix)
    if not _change(voicemail, smaller=name):
        recordings.remove(name)
    return True


def _keep(voicemail: Voicemail) -> Smaller:
    try:
        row = kept.sealed(voicemail)
    except kept.NoRoomError:
        return Smaller.NO_ROOM
    facts = {"kept": row, "oversized_at": voicemail.oversized_at or timezone.now()}
    with transaction.atomic():
        row.save()
        if _change(voicemail, recording="", smaller="", **facts):
            unused = [voicemail.recording, voicemail.smaller]
        else:  # another worker was first
            row.delete()
            unused = [row.file]
    for name in filter(None, unused):
        recordings.remove(name)
    return Smaller.DONE


def _change(voicemail: Voicemail, **values: Any) -> bool:
    """Change the row unless it got another form meanwhile."""
    same = Voicemail.objects.filter(
        pk=voicemail.pk,
        recording=voicemail.recording,
        smaller=voicemail.smaller,
        kept=None,
    )
    return same.update(**values) == 1
