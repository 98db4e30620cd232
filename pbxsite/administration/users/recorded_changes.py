"""Changes of users, which go to the audit log and end sessions where they have to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import ngettext

from authconfig.choices import Event
from authconfig.sync.present import note_deactivated_here
from authconfig.users import audit, kept_passwords
from authconfig.users.audit import origin_of
from authconfig.users.changes import (
    difference,
    end_sessions,
    follow_addresses,
    follow_session,
)
from authconfig.users.models import PbxUser
from pbxsite.administration.users.forms import new_password
from pbxsite.administration.users.rights import MANY, gained_and_lost


class RecordedUsers:
    def save_model(
        self,
        request: HttpRequest,
        obj: PbxUser,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        before = PbxUser.objects.get(pk=obj.pk) if change else None
        # Whatever else the row holds, such as the password, may have changed meanwhile.
        obj.save(update_fields=_columns(form.changed_data) if change else None)
        if not change:
            kept_passwords.keep(obj, new_password(form.cleaned_data))
        changes = [difference(before, obj)]
        # Django saves the groups and rights after this.
        changes += [
            gained_and_lost(name, getattr(obj, name).all(), form.cleaned_data[name])
            for name in MANY
            if name in form.changed_data
        ]
        if told := ", ".join(filter(None, changes)):
            record_change(request, obj, told)
        if before:
            follow_addresses({obj: before.email})
        if before and before.is_active and not obj.is_active:
            note_deactivated_here(obj)
            _say_ended(request, end_sessions([obj]))

    def delete_model(self, request: HttpRequest, obj: PbxUser) -> None:
        self.delete_queryset(request, PbxUser.objects.filter(pk=obj.pk))

    def delete_queryset(
        self, request: HttpRequest, queryset: QuerySet[PbxUser]
    ) -> None:
        users = list(queryset)
        end_sessions(users)
        audit.keep_actors(users)
        queryset.delete()
        for user in users:
            record_change(request, None, "deleted", user_name=user.name)

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        key = request.session.session_key or ""
        before = PbxUser.objects.filter(pk=unquote(id)).first()
        response: HttpResponse = super().user_change_password(request, id, form_url)  # type: ignore[misc]
        after = PbxUser.objects.filter(pk=unquote(id)).first()
        if before and after and before.password != after.password:
            new_key = request.session.session_key or ""
            follow_session(key, new_key)
            _say_ended(request, end_sessions([after], besides=new_key))
            told = "set" if after.has_usable_password() else "removed"
            record_change(request, after, told, event=Event.PASSWORD_CHANGED)
        return response


def _columns(names: Iterable[str]) -> set[str]:
    known = {field.name for field in PbxUser._meta.fields}
    return known & {*names, "name_key"}


def record_change(
    request: HttpRequest,
    user: PbxUser | None,
    detail: str,
    *,
    event: Event = Event.USER_CHANGED,
    **facts: str,
) -> None:
    audit.record(
        event,
        user=user,
        actor=request.user,
        origin=origin_of(request),
        detail=detail,
        **facts,
    )


def _say_ended(request: HttpRequest, count: int) -> None:
    if count:
        text = ngettext("%(n)d session ended.", "%(n)d sessions ended.", count)
        messages.info(request, text % {"n": count})
