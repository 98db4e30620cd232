"""Putting a mail into the queue."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from authconfig.models import current_rules
from authconfig.users.models import PbxUser
from verification import log_context
from verification.mail.kinds import MailKind
from verification.mail.models import OutgoingEmail
from verification.mail.sending import wake_due

NOTICE_TTL = timedelta(days=1)


def enqueue(
    kind: MailKind, user: PbxUser, *, language: str, expires_at: datetime
) -> OutgoingEmail:
    facts = {"user": user, "recipient": user.email, "language": language}
    return _enqueue(kind, expires_at=expires_at, **facts)


def enqueue_to(kind: MailKind, address: str, *, language: str) -> OutgoingEmail:
    """Queue a notice for an address that need not be a user's."""
    expires_at = timezone.now() + NOTICE_TTL
    return _enqueue(kind, expires_at=expires_at, recipient=address, language=language)


def _enqueue(kind: MailKind, **facts: Any) -> OutgoingEmail:
    mail = OutgoingEmail.objects.create(
        # By the database's clock: this process's may be wrong.
        created_at=Now(),
        due_at=Now(),
        kind=kind.name,
        priority=kind.priority,
        request_id=log_context.request_id.get(),
        **facts,
    )
    transaction.on_commit(wake_due)
    return mail


def enqueue_notice(
    kind: MailKind, user: PbxUser, *, language: str
) -> OutgoingEmail | None:
    """Queue a mail that tells of something, in the user's own language if there is one.

    Returns None where no e-mail account is set up: the audit log alone tells of it.
    """
    rules = current_rules()
    if not (user.email and rules.smtp_server and rules.smtp_email_address):
        return None
    return enqueue(
        kind,
        user,
        language=user.language or language,
        expires_at=timezone.now() + NOTICE_TTL,
    )
