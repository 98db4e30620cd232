"""Operators see whether mails go out, and nothing else without further rights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest

OPERATE = "mail.operate_queue"
GROUP = "Operators"


def is_operator(request: HttpRequest) -> bool:
    return request.user.has_perm(OPERATE)


def is_operator_alone(request: HttpRequest) -> bool:
    """Has the user no other right? Then the queue page is their only one."""
    user = request.user
    return not user.is_superuser and user.get_all_permissions() == {OPERATE}


def make_group(model: Callable[[str, str], Any]) -> None:
    """Make the group "Operators"; `model` finds a model, as a migration's `get_model`.

    Django makes permissions after all migrations, and this one is needed before.
    """
    kind, _is_new = model("contenttypes", "ContentType").objects.get_or_create(
        app_label="mail", model="outgoingemail"
    )
    right, _is_new = model("auth", "Permission").objects.get_or_create(
        content_type=kind,
        codename=OPERATE.partition(".")[2],
        defaults={"name": "Can operate the outgoing queue"},
    )
    group, _is_new = model("auth", "Group").objects.get_or_create(name=GROUP)
    group.permissions.add(right)
