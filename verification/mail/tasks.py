"""Celery's doors to the sweeps of the queue and to the trials of an e-mail account."""

from __future__ import annotations

from celery import shared_task

from verification.mail import account_trial, claims
from verification.mail.operation import heartbeat
from verification.mail.sending import deliver_mails, take_back_abandoned


@shared_task
def run_account_trial(pk: int) -> None:
    account_trial.run_trial(pk)


@shared_task
def wake_due_mails() -> None:
    """Find mails that woke nobody: the broker was away, or a worker died."""
    heartbeat.beat()
    take_back_abandoned()
    deliver_mails.delay()


@shared_task
def end_overdue_mails() -> None:
    claims.expire_overdue()


@shared_task
def end_abandoned_trials() -> None:
    account_trial.end_abandoned_trials()


@shared_task
def forget_old_mails() -> None:
    claims.forget_old()
    account_trial.forget_old()
