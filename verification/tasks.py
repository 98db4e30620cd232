"""Celery's doors to the queue: three lines each, told a primary key at most."""

from __future__ import annotations

import logging

from celery import Task, shared_task
from kombu.exceptions import OperationalError

from authconfig import audit
from verification import heartbeat, outbox, rechecks, recordings
from verification.models import OutgoingEmail
from verification.outages import redis_outage
from verification.persistence import clear_expired

logger = logging.getLogger(__name__)

# What one sweep wakes at most; the next one comes in seconds.
SWEEP_SIZE = 200


@shared_task
def deliver_mail(pk: int) -> None:
    outbox.deliver(pk)


def wake_worker(pk: int) -> None:
    """Have the mail sent now; never raises, since the sweep finds it as well."""
    _publish(deliver_mail, pk)


def wake_due() -> None:
    """Have whatever is due sent now."""
    _publish(wake_due_mails)


def _publish(task: Task[..., None], *args: int) -> None:
    if redis_outage.is_on():
        return
    try:
        task.delay(*args)
    except OperationalError as error:
        redis_outage.begin()
        logger.warning("%s %s: no worker woken (%s)", task.name, args, error)


@shared_task
def run_account_test(pk: int) -> None:
    outbox.run_test(pk)


@shared_task
def wake_due_mails() -> None:
    """Find what was never woken: the broker was away, or a worker died."""
    heartbeat.beat()
    outbox.requeue_abandoned()
    due = (
        OutgoingEmail.objects.claimable()
        .order_by("due_at")
        .values_list("pk", flat=True)
    )
    for pk in due[:SWEEP_SIZE]:
        deliver_mail.delay(pk)


@shared_task
def end_overdue_mails() -> None:
    outbox.expire_overdue()


@shared_task
def forget_recordings() -> None:
    recordings.sweep()


@shared_task
def end_abandoned_tests() -> None:
    outbox.end_abandoned_tests()


@shared_task
def recheck_windows_accounts() -> None:
    rechecks.end_sessions_of_closed_accounts()


@shared_task
def forget_old_events() -> None:
    audit.forget_old()


@shared_task
def clear_expired_sessions() -> None:
    clear_expired()
