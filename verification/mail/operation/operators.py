"""Operators see whether e-mails go out, and nothing else unless they are told more."""

from __future__ import annotations

from django.http import HttpRequest

OPERATE = "mail.operate_queue"


def is_operator(request: HttpRequest) -> bool:
    return request.user.has_perm(OPERATE)


def is_operator_alone(request: HttpRequest) -> bool:
    """Without other rights there is one page, and nothing to overview."""
    user = request.user
    return not user.is_superuser and user.get_all_permissions() == {OPERATE}
