"""Celery's door to the upkeep of the tokens."""

from __future__ import annotations

from celery import shared_task

from verification.mail.oauth2 import upkeep


@shared_task
def keep_tokens() -> None:
    upkeep.keep_up()
