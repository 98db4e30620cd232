"""Who may change whom: nobody gains rights, and nobody locks themselves out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest

from authconfig import lockout
from authconfig.users.models import PbxUser
from pbxsite.administration.users.rights import RIGHTS, is_above


class PermittedChanges:
    def has_change_permission(
        self, request: HttpRequest, obj: PbxUser | None = None
    ) -> bool:
        allowed = super().has_change_permission(request, obj)  # type: ignore[misc]
        return allowed and not is_above(request, obj)

    def has_delete_permission(
        self, request: HttpRequest, obj: PbxUser | None = None
    ) -> bool:
        allowed = super().has_delete_permission(request, obj)  # type: ignore[misc]
        return allowed and not is_above(request, obj) and obj != request.user

    def get_readonly_fields(
        self, request: HttpRequest, obj: PbxUser | None = None
    ) -> tuple[str, ...]:
        fields: tuple[str, ...] = super().get_readonly_fields(request, obj)  # type: ignore[misc]
        assert isinstance(request.user, PbxUser)
        return fields if request.user.is_superuser else (*fields, *RIGHTS)

    def get_deleted_objects(
        self, objs: Iterable[PbxUser], request: HttpRequest
    ) -> tuple[Any, Any, set[Any], Any]:
        users = list(objs)
        found, counts, missing, protected = super().get_deleted_objects(users, request)  # type: ignore[misc]
        if lockout.leaves_nobody(users):
            messages.error(request, lockout.last_one())
            protected = [*protected, *(user.name for user in users if user.is_staff)]
        return found, counts, missing, protected
