"""What the search of Ctrl+K finds: the menu's pages, and users."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from unfold.dataclasses import SearchResult

from authconfig.users.models import PbxUser

MOST_USERS = 20


def found(request: HttpRequest, entered: str) -> list[SearchResult]:
    """Return what the user may open, pages before users."""
    return [*_pages(request, entered.casefold()), *_users(request, entered)]


def _pages(request: HttpRequest, entered: str) -> Iterator[SearchResult]:
    for group in admin.site.get_sidebar_list(request):  # type: ignore[attr-defined]
        for item in group["items"]:
            title = str(item["title"])
            if item.get("has_permission") and entered in title.casefold():
                yield SearchResult(
                    title, str(group.get("title") or _("Page")), item["link"], None
                )


def _users(request: HttpRequest, entered: str) -> Iterator[SearchResult]:
    shown = admin.site.get_model_admin(PbxUser)
    if not shown.has_view_permission(request):
        return
    users, _twice = shown.get_search_results(request, PbxUser.objects.all(), entered)
    for user in users.order_by("name")[:MOST_USERS]:
        link = reverse("admin:users_pbxuser_change", args=[user.pk])
        words = " ".join(filter(None, [_("PBX user"), user.long_name]))
        yield SearchResult(user.name, words, link, None)
