"""Celery's doors to the queue: three lines each, told a primary key at most."""

from __future__ import annotations

import logging

from celery import Task, shared_task
from kombu.exceptions import OperationalError

from verification.mail import account_trial, claims, sending
from verification.mail.operation import heartbeat
from verification.redis_access import redis_outage

logger = logging.getLogger(__name__)


@shared_task
def deliver_mails() -> None:
    sending.deliver_due(hand_on=wake_due)


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
def run_account_trial(pk: int) -> None:
    account_trial.run_trial(pk)


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
def end_abandoned_trials() -> None:
    account_trial.end_abandoned_trials()


@shared_task
def forget_old_mails() -> None:
    claims.forget_old()
