"""Celery's doors to the sweeps of recordings."""

from __future__ import annotations

from celery import shared_task

from verification.voicemail import kept, recordings
from verification.voicemail.oversized import (
    make_smaller_recordings as make_smaller_recordings,  # a task of theirs
)


@shared_task
def forget_recordings() -> None:
    kept.sweep()
    recordings.sweep()
