"""The provider's tasks for Celery."""

from __future__ import annotations

from celery import shared_task

from pbxsite.gateway.openid import grants
from pbxsite.gateway.openid.back_channel import delivery, visits


@shared_task
def tell_clients_of_ends() -> None:
    delivery.deliver_due()


@shared_task
def forget_old_grants() -> None:
    grants.forget_old()
    visits.find_orphans()
