"""The audit log's periodic task."""

from __future__ import annotations

from celery import shared_task

from authconfig.users import audit


@shared_task
def forget_old_events() -> None:
    audit.forget_old()
