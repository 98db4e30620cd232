"""E-mails that tell of something; they go the way of all mails, through the queue."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone, translation

from authconfig.models import PbxUser, current_settings
from verification.choices import MailKind
from verification.models import LoginSession, OutgoingEmail
from verification.tasks import wake_due

ALERT_TTL = timedelta(days=1)
# Of one user's rejections administrators are told once in this time, so that whoever
# has his password cannot flood them.
REJECTIONS_TOLD_EVERY = timedelta(hours=1)


def tell_of_rejection(login: LoginSession) -> int:
    """Tell every administrator that a user rejected a login; return how many."""
    since = timezone.now() - REJECTIONS_TOLD_EVERY
    told = OutgoingEmail.objects.filter(
        kind=MailKind.REJECTION, login__user=login.user_id, created_at__gt=since
    )
    if told.exists():
        return 0
    administrators = PbxUser.objects.filter(is_active=True, is_staff=True)
    return sum(
        _queue(MailKind.REJECTION, administrator, login)
        for administrator in administrators
    )


def tell_of_new_password(user: PbxUser) -> None:
    _queue(MailKind.PASSWORD, user, None)


def _queue(kind: MailKind, recipient: PbxUser, login: LoginSession | None) -> bool:
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


def _language_of(login: LoginSession | None) -> str:
    """Return the language of the browser that caused the mail."""
    return login.language if login else translation.get_language() or "en"
