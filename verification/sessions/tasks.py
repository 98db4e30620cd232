"""The tasks about sessions."""

from __future__ import annotations

from celery import shared_task

from verification.sessions import rechecks
from verification.sessions.lifecycle import clear_expired, forget_old_addresses
from verification.sessions.provider import checks, logins


@shared_task
def recheck_windows_accounts() -> None:
    rechecks.end_sessions_of_refused_users()


@shared_task
def recheck_provider_logins() -> None:
    checks.check_due()


@shared_task
def clear_expired_sessions() -> None:
    clear_expired()
    forget_old_addresses()
    logins.forget_old()
