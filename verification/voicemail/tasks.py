"""Celery's door to the sweep of recordings."""

from __future__ import annotations

from celery import shared_task

from verification.voicemail import recordings


@shared_task
def forget_recordings() -> None:
    recordings.sweep()
