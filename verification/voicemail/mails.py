"""TODO docstring of verification.voicemail.mails"""

from __future__ import annotations

import re
from pathlib import PurePath

from django.utils import timezone

from verification.mail.choices import MailKind
from verification.mail.fast.layout import Attachment
from verification.mail.models import OutgoingEmail
from verification.mail.rendering import Rendered
from verification.voicemail import recordings
from verification.voicemail.models import Voicemail

# What is left of a caller's number in the name of a file.
UNSAFE = re.compile(r"[^0-9A-Za-z+-]+")


def _voicemail(mail: OutgoingEmail) -> Rendered:
    return "voicemail", {"user": mail.user, "voicemail": mail.voicemail}


def _attachment(mail: OutgoingEmail) -> Attachment | None:
    return _recording(mail.voicemail) if mail.kind == MailKind.VOICEMAIL else None


def _recording(voicemail: Voicemail) -> Attachment:
    """The file as it was posted, under a name that every system takes."""
    content = recordings.read(voicemail.recording)
    at = timezone.localtime(voicemail.recorded_at)
    caller = UNSAFE.sub("", voicemail.caller_number)
    parts = ["voicemail", f"{at:%Y-%m-%d_%H-%M-%S}", caller]
    suffix = PurePath(voicemail.recording).suffix
    name = "_".join(part for part in parts if part) + suffix
    return Attachment(name, voicemail.content_type, content)
