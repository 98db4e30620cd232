"""The provider's tasks for Celery."""

from __future__ import annotations

from celery import shared_task

from pbxsite.gateway.openid import grants


@shared_task
def forget_old_grants() -> None:
    grants.forget_old()
