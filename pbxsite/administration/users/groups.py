"""The admin's page for groups of rights."""

from __future__ import annotations

from typing import Any

from allauth.core.exceptions import ReauthenticationRequired
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as BaseGroupAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from authconfig.choices import Event
from authconfig.users import audit
from authconfig.users.audit import origin_of
from authconfig.users.models import PbxUser
from pbxsite.administration.deletion import TellsWhatGoes
from pbxsite.administration.lists import OwnLookups
from pbxsite.administration.users.rights import RightsMixin, gained_and_lost
from pbxsite.administration.users.what_goes import WITH_GROUPS
from verification.sessions.reauthentication import is_recently_authenticated

# Importing Django's page registered it; ours takes its place.
admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(OwnLookups, TellsWhatGoes, RightsMixin, BaseGroupAdmin, ModelAdmin):
    """Groups of rights for administrators without all rights.

    Only those with all rights change them: others could give their own group any right.
    """

    goes_along = WITH_GROUPS
    offered_rights = ("view",)
    filter_horizontal = ()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        assert isinstance(request.user, PbxUser)
        return request.user.is_superuser

    has_change_permission = has_delete_permission = has_add_permission

    def changeform_view(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Ask an old login on the way: the form holds no secret, so it may wait."""
        may_change = self.has_change_permission(request)
        if may_change and not is_recently_authenticated(request):
            raise ReauthenticationRequired
        response: HttpResponse = super().changeform_view(request, *args, **kwargs)
        return response

    def save_model(
        self,
        request: HttpRequest,
        obj: Group,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        """Save the group and record the change; Django saves its rights after this."""
        super().save_model(request, obj, form, change)
        told = [] if change else ["added"]
        if change and "name" in form.changed_data:
            told.append(f"name: {form.initial['name']} → {obj.name}")
        rights = obj.permissions.all(), form.cleaned_data["permissions"]
        told.append(gained_and_lost("permissions", *rights))
        if words := ", ".join(filter(None, told)):
            _record_change(request, obj, words)

    def delete_model(self, request: HttpRequest, obj: Group) -> None:
        _record_change(request, obj, "deleted")
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Group]) -> None:
        for group in queryset:
            self.delete_model(request, group)


def _record_change(request: HttpRequest, group: Group, detail: str) -> None:
    audit.record(
        Event.SETTING_CHANGED,
        user=None,
        actor=request.user,
        origin=origin_of(request),
        detail=" ".join(f"group {group.name}: {detail}".split()),
    )
