"""Celery's doors to the queue: three lines each, told a primary key at most."""

from __future__ import annotations

import logging

from celery import Task, shared_task
from kombu.exceptions import OperationalError

from authconfig import audit
from verification import claims, heartbeat, outbox, rechecks, recordings, testmails
from verification.outages import redis_outage
from verification.persistence import clear_expired

logger = logging.getLogger(__name__)


@shared_task
def deliver_mails() -> None:
    outbox.deliver_due(hand_on=wake_due)


def wake_due() -> bool:
    """Have whatever is due sent now, by whoever is free.

    It never raises, since the sweep finds it as well.
    """
    return _publish(deliver_mails)


def _publish(task: Task[..., None]) -> bool:
    if redis_outage.is_on():
        return False
    try:
        task.delay()
    except OperationalError as error:
        redis_outage.begin()
        logger.warning("%s: no worker woken (%s)", task.name, error)
        return False
    return True


@shared_task
def run_account_test(pk: int) -> None:
    testmails.run_test(pk)


@shared_task
def wake_due_mails() -> None:
    """Find what was never woken: the broker was away, or a worker died."""
    heartbeat.beat()
    claims.requeue_abandoned()
    deliver_mails.delay()


@shared_task
def end_overdue_mails() -> None:
    claims.expire_overdue()


@shared_task
def forget_recordings() -> None:
    recordings.sweep()


@shared_task
def end_abandoned_tests() -> None:
    testmails.end_abandoned_tests()


@shared_task
def recheck_windows_accounts() -> None:
    rechecks.end_sessions_of_closed_accounts()


@shared_task
def forget_old_mails() -> None:
    claims.forget_old()


@shared_task
def forget_old_events() -> None:
    audit.forget_old()


@shared_task
def clear_expired_sessions() -> None:
    clear_expired()
