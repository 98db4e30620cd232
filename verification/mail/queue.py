"""Putting an e-mail into the queue, and waking a worker that sends it."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from celery import Task, shared_task
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from authconfig.models import current_settings
from authconfig.users.models import PbxUser
from verification.mail import sending
from verification.mail.kinds import MailKind
from verification.mail.models import OutgoingEmail
from verification.redis_access import redis_outage

logger = logging.getLogger(__name__)

NOTICE_TTL = timedelta(days=1)


def enqueue(
    kind: MailKind, user: PbxUser, *, language: str, expires_at: datetime
) -> OutgoingEmail:
    """Queue a mail to the user's address; a worker is woken after the commit."""
    mail = OutgoingEmail.objects.create(
        kind=kind.name,
        priority=kind.priority,
        user=user,
        recipient=user.email,
        language=language,
        expires_at=expires_at,
    )
    transaction.on_commit(wake_due)
    return mail


def enqueue_notice(
    kind: MailKind, user: PbxUser, *, language: str
) -> OutgoingEmail | None:
    """Queue a mail that tells of something, in the user's own language if they chose one.

    Where no e-mail account is set up, the audit log alone tells of it: None.
    """
    account = current_settings()
    if not (user.email and account.smtp_server and account.smtp_email_address):
        return None
    return enqueue(
        kind,
        user,
        language=user.language or language,
        expires_at=timezone.now() + NOTICE_TTL,
    )


@shared_task
def deliver_mails() -> None:
    sending.deliver_due(hand_on=wake_due)


def wake_due() -> bool:
    """Have whatever is due sent now, by whoever is free.

    It never raises, since the sweep finds it as well.
    """
    return publish(deliver_mails)


def publish(task: Task[..., None]) -> bool:
    """Return whether the broker took the task."""
    if redis_outage.is_on():
        return False
    try:
        task.delay()
    except OperationalError as error:
        redis_outage.begin()
        logger.warning("%s: no worker woken (%s)", task.name, error)
        return False
    return True
