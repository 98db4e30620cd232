"""What the admin's read-only lists have in common."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.timezone import localtime
from unfold.admin import ModelAdmin


class ReadOnlyAdmin(ModelAdmin):
    """What the site itself writes, nobody edits; what may be done are actions."""

    list_fullwidth = True

    def has_add_permission(self, *args: Any) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission

    def has_end_permission(self, request: HttpRequest) -> bool:
        """The right that such actions ask for: to change what the list shows."""
        right = f"{self.opts.app_label}.change_{self.opts.model_name}"
        return request.user.has_perm(right)


def moment(at: datetime | None) -> str:
    """Return a time to the second; a narrow column breaks it before the hour."""
    if at is None:
        return ""
    part = '<span class="whitespace-nowrap">{}</span>'
    local = localtime(at)
    return format_html(f"{part} {part}", f"{local:%Y-%m-%d}", f"{local:%H:%M:%S}")
