"""Celery's doors to the queue: three lines each, told a primary key at most."""

from __future__ import annotations

from celery import shared_task

from verification import outbox
from verification.models import OutgoingEmail

# What one sweep wakes at most; the next one comes in seconds.
SWEEP_SIZE = 200


@shared_task
def deliver_mail(pk: int) -> None:
    outbox.deliver(pk)


@shared_task
def run_account_test(pk: int) -> None:
    outbox.run_test(pk)


@shared_task
def wake_due_mails() -> None:
    """Find what was never woken: the broker was away, or a worker died."""
    outbox.requeue_abandoned()
    for pk in OutgoingEmail.objects.due().values_list("pk", flat=True)[:SWEEP_SIZE]:
        deliver_mail.delay(pk)


@shared_task
def end_overdue_mails() -> None:
    outbox.expire_overdue()
