"""The task that forgets old logins."""

from __future__ import annotations

from celery import shared_task

from verification.approval import keeping
from verification.login import rescue


@shared_task
def forget_old_logins() -> None:
    keeping.forget_old()
    rescue.forget_old()
