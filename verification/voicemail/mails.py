"""The mail that brings a voicemail to its user."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from verification.mail.choices import MailPriority
from verification.mail.kinds import Attachment, MailKind
from verification.mail.models import OutgoingEmail
from verification.voicemail import recordings

# These are taken out of a caller's number for the name of a file.
UNSAFE = re.compile(r"[^0-9A-Za-z+-]+")


def _context(mail: OutgoingEmail) -> dict[str, Any]:
    return {"user": mail.user, "voicemail": mail.voicemail}


def _recording(mail: OutgoingEmail) -> Attachment:
    voicemail = mail.voicemail
    content = recordings.read(voicemail.recording)
    at = timezone.localtime(voicemail.recorded_at)
    caller = UNSAFE.sub("", voicemail.caller_number)
    parts = ["voicemail", f"{at:%Y-%m-%d_%H-%M-%S}", caller]
    suffix = PurePath(voicemail.recording).suffix
    name = "_".join(part for part in parts if part) + suffix
    return Attachment(name, voicemail.content_type, content)


VOICEMAIL = MailKind(
    "voicemail",
    _("Voicemail"),
    "verification/mail/voicemail",
    context=_context,
    attachment=_recording,
    related=("voicemail",),
    priority=MailPriority.LATER,
    is_harmless_twice=True,
)
