"""Celery's doors to the alarms; `calls` has its own."""

from __future__ import annotations

from celery import shared_task

from pbxsite.administration.alarms import watch


@shared_task
def forget_old_alarms() -> None:
    watch.forget_old()
