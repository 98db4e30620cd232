"""The admin's page for client applications."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from authconfig.choices import Event
from authconfig.clients.models import ClientApplication
from authconfig.users import audit
from authconfig.users.audit import origin_of
from pbxsite.administration.lists import OwnLookups


class ClientApplicationAdmin(OwnLookups, ModelAdmin):
    fieldsets = (
        (None, {"fields": ("name", "slug", "kind", "icon")}),
        (_("Addresses"), {"fields": ("start_url", "return_urls")}),
        (
            _("How it learns who its visitor is"),
            {"fields": ("asks_by", "is_own", "forward_auth")},
        ),
    )
    list_display = ("name", "slug", "kind", "asks_by", "start_url")
    list_filter = ("kind", "asks_by")
    list_select_related = False
    search_fields = ("name", "slug", "start_url", "return_urls")
    search_help_text = _("Name, short name or address")
    radio_fields = {"kind": admin.HORIZONTAL, "asks_by": admin.VERTICAL}

    def get_readonly_fields(
        self, request: HttpRequest, obj: ClientApplication | None = None
    ) -> tuple[str, ...]:
        """Others have the short name in their files; myApps is always myApps."""
        fixed: tuple[str, ...] = ("forward_auth",)
        if obj:
            fixed = (*fixed, "slug")
        return (*fixed, "kind") if obj and obj.is_from_the_start else fixed

    def has_delete_permission(
        self, request: HttpRequest, obj: ClientApplication | None = None
    ) -> bool:
        kept = obj is not None and obj.is_from_the_start
        return super().has_delete_permission(request, obj) and not kept

    @display(description=_("Address for the proxy"))
    def forward_auth(self, client: ClientApplication) -> SafeString | str:
        if not client.pk:
            return gettext("Shown once the client is saved.")
        return format_html("<code>{}</code>", client.forward_auth_address)

    def save_model(
        self,
        request: HttpRequest,
        obj: ClientApplication,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        before = ClientApplication.objects.filter(pk=obj.pk).first()
        super().save_model(request, obj, form, change)
        told = [
            f"{name}: “{getattr(before, name, '')}” → “{getattr(obj, name)}”"
            for name in form.changed_data
            if hasattr(obj, name)
        ]
        if told:
            record_change(request, obj, ", ".join(told))

    def delete_model(self, request: HttpRequest, obj: ClientApplication) -> None:
        super().delete_model(request, obj)
        record_change(request, obj, "deleted")

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[Any, Any, set[Any], Any]:
        """Those that every site has are not deleted by the list's action either."""
        clients = list(objs)
        found, counts, missing, protected = super().get_deleted_objects(
            clients, request
        )
        kept = [client.name for client in clients if client.is_from_the_start]
        return found, counts, missing, [*protected, *kept]

    def delete_queryset(
        self, request: HttpRequest, queryset: QuerySet[ClientApplication]
    ) -> None:
        for client in queryset:
            self.delete_model(request, client)


def record_change(request: HttpRequest, client: ClientApplication, detail: str) -> None:
    audit.record(
        Event.SETTING_CHANGED,
        user=None,
        actor=request.user,
        origin=origin_of(request),
        detail=" ".join(f"client {client.slug}: {detail}".split()),
    )
