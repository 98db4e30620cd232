"""Celery's doors to the links that wait, and to those that are old."""

from __future__ import annotations

from celery import shared_task

from verification.password_links import invitations, making


@shared_task
def make_waiting_links() -> None:
    """Find what woke nobody: the broker was away, or a worker died."""
    making.make_all()


@shared_task
def forget_old_links() -> None:
    invitations.forget_old_runs()
