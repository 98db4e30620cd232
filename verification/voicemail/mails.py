"""The mail that brings a voicemail to its user."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from verification.mail.choices import MailPriority
from verification.mail.kinds import Attachment, MailKind
from verification.mail.models import OutgoingEmail
from verification.voicemail import oversized, recordings
from verification.voicemail.audio.sound import OGG


def _context(mail: OutgoingEmail) -> dict[str, Any]:
    voicemail = mail.voicemail
    link = voicemail.kept and settings.SITE_URL + reverse(
        "verification:kept_recording", args=[voicemail.kept.public_id]
    )
    return {"user": mail.user, "voicemail": voicemail, "link": link}


def _recording(mail: OutgoingEmail) -> Attachment | None:
    voicemail = mail.voicemail
    if voicemail.kept_id:
        return None
    file, content_type = voicemail.recording, voicemail.content_type
    if voicemail.smaller:
        file, content_type = voicemail.smaller, OGG.content_type
    name = voicemail.file_name(content_type)
    return Attachment(name, content_type, recordings.read(file))


def _is_there(mail: OutgoingEmail) -> bool:
    """Its user may have deleted what is kept before the mail went out."""
    return bool(mail.voicemail.recording or mail.voicemail.kept_id)


VOICEMAIL = MailKind(
    "voicemail",
    _("Voicemail"),
    "verification/mail/voicemail",
    context=_context,
    attachment=_recording,
    is_wanted=_is_there,
    still_wanted=lambda: ~Q(voicemail__recording="") | Q(voicemail__kept__isnull=False),
    related=("voicemail",),
    priority=MailPriority.LATER,
    is_harmless_twice=True,
    make_smaller=oversized.make_smaller,
)
