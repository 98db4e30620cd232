"""Taking a voicemail: its recording into the storage, its mail into the queue."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.core.files import File
from django.db import IntegrityError, transaction
from django.utils import timezone

from authconfig.choices import Event, Origin
from authconfig.models import current_rules
from authconfig.names import name_key
from authconfig.users import audit
from authconfig.users.models import PbxUser
from verification.mail.models import OutgoingEmail
from verification.mail.queue import enqueue
from verification.voicemail import recordings
from verification.voicemail.audio.sound import WAV, audio_type
from verification.voicemail.audio.wav import read_wav
from verification.voicemail.choices import VoicemailFault
from verification.voicemail.mails import VOICEMAIL
from verification.voicemail.models import Voicemail

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PostedVoicemail:
    """The content of a valid VoicemailForm; `key` is the request's Idempotency-Key."""

    user: str
    recording: File[bytes]
    caller: str = ""
    caller_name: str = ""
    time: datetime | None = None
    duration: int | None = None
    key: str = ""


def take(posted: PostedVoicemail, origin: Origin) -> OutgoingEmail | VoicemailFault:
    """Queue the voicemail, or say why not; a repeated request gets the same mail."""
    digest = _digest(posted)
    if earlier := _earlier(posted.key, digest):
        return earlier
    user = _find(posted.user)
    if isinstance(user, VoicemailFault):
        return user
    if fault := _fault_of(user):
        _record_refusal(user, fault, origin)
        return fault
    return _keep(posted, digest, user)


def _digest(posted: PostedVoicemail) -> str:
    """Return a digest of the request: another request may come under the same key."""
    file = hashlib.sha256()
    posted.recording.seek(0)
    for chunk in posted.recording.chunks():
        file.update(chunk)
    asked = (
        posted.user,
        posted.caller,
        posted.caller_name,
        posted.time,
        posted.duration,
        file.hexdigest(),
    )
    return hashlib.sha256(repr(asked).encode()).hexdigest()


def _earlier(key: str, digest: str) -> OutgoingEmail | VoicemailFault | None:
    if not key:
        return None
    found = Voicemail.objects.filter(idempotency_key=key).select_related("mail").first()
    if found is None:
        return None
    return (
        found.mail if found.request_digest == digest else VoicemailFault.OTHER_REQUEST
    )


def _find(entered: str) -> PbxUser | VoicemailFault:
    """Find the user by name or extension number; if two users fit, neither gets it."""
    by_name = PbxUser.objects.filter(name_key=name_key(entered)).first()
    by_number = PbxUser.objects.filter(number=entered.strip()).first()
    if by_name and by_number and by_name != by_number:
        return VoicemailFault.TWO_USERS
    return by_name or by_number or VoicemailFault.NOBODY


def _fault_of(user: PbxUser) -> VoicemailFault | None:
    if not user.is_active:
        return VoicemailFault.INACTIVE
    if not user.email:
        return VoicemailFault.NO_EMAIL
    rules = current_rules()
    if not (rules.smtp_server and rules.smtp_email_address):
        return VoicemailFault.NO_ACCOUNT
    return VoicemailFault.TOO_MANY if _are_too_many(user) else None


def _are_too_many(user: PbxUser) -> bool:
    most, period = settings.LIMIT_VOICEMAILS
    lately = OutgoingEmail.objects.filter(
        user=user, kind=VOICEMAIL.name, created_at__gt=timezone.now() - period
    )
    return lately.count() >= most


def _record_refusal(user: PbxUser, fault: VoicemailFault, origin: Origin) -> None:
    """The audit log tells administrators, who alone can mend a user."""
    audit.record(Event.VOICEMAIL_REFUSED, user=user, origin=origin, detail=fault.value)


def _keep(
    posted: PostedVoicemail, digest: str, user: PbxUser
) -> OutgoingEmail | VoicemailFault:
    """Store the file first: a file without a row is swept up, the reverse is a loss."""
    kind = audio_type(posted.recording)
    assert kind
    try:
        name = recordings.keep(posted.recording, kind.suffix)
    except OSError as error:
        logger.error("voicemail: the recording was not stored (%s)", error)
        return VoicemailFault.NO_ROOM
    facts = {"recording": name, "content_type": kind.content_type}
    try:
        return _insert(posted, user, request_digest=digest, **facts)
    except IntegrityError:
        # Only here is it sure that there is no row; other errors may leave one.
        recordings.remove(name)
        # The same request came twice at once, and the other one was first.
        if earlier := _earlier(posted.key, digest):
            return earlier
        # Somebody erased or deleted the user meanwhile.
        if not PbxUser.objects.filter(pk=user.pk).exists():
            return VoicemailFault.NOBODY
        raise


def _insert(posted: PostedVoicemail, user: PbxUser, **facts: str) -> OutgoingEmail:
    with transaction.atomic():
        mail = enqueue(
            VOICEMAIL,
            user,
            language=user.language or settings.LANGUAGE_CODE,
            expires_at=timezone.now() + settings.VOICEMAIL_TTL,
        )
        Voicemail.objects.create(
            mail=mail,
            caller_number=posted.caller,
            caller_name=posted.caller_name,
            recorded_at=posted.time or mail.created_at,
            duration=_duration(posted),
            idempotency_key=posted.key,
            **facts,
        )
    return mail


def _duration(posted: PostedVoicemail) -> int | None:
    if posted.duration is not None:
        return posted.duration
    file = posted.recording
    seconds = read_wav(file).seconds if audio_type(file) == WAV else None
    return None if seconds is None else round(seconds)
