"""TODO docstring of verification.mail.notices"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from authconfig.models import current_settings
from authconfig.users.models import PbxUser
from verification.approval.mails import _language_of
from verification.approval.models import LoginSession
from verification.mail.choices import MailKind
from verification.mail.models import OutgoingEmail
from verification.mail.tasks import wake_due

ALERT_TTL = timedelta(days=1)


def queue_notice(
    kind: MailKind, recipient: PbxUser, login: LoginSession | None
) -> bool:
    """Where no e-mail account is set up, the audit log alone tells of it."""
    account = current_settings()
    if not (recipient.email and account.smtp_server and account.smtp_email_address):
        return False
    OutgoingEmail.objects.create(
        kind=kind,
        user=recipient,
        login=login,
        recipient=recipient.email,
        language=recipient.language or _language_of(login),
        expires_at=timezone.now() + ALERT_TTL,
    )
    transaction.on_commit(wake_due)
    return True
