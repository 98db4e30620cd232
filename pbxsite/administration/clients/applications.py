"""The admin's page for client applications."""

from __future__ import annotations

from typing import Any

from allauth.idp.oidc.models import Client as RegisteredClient
from allauth.idp.oidc.models import Token
from allauth.usersessions.models import UserSession
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from authconfig.clients.choices import AsksBy
from authconfig.clients.models import ClientApplication
from pbxsite.administration.clients.forms import ApplicationForm
from pbxsite.administration.clients.openid_inline import OpenIdInline
from pbxsite.administration.clients.recorded_changes import RecordedApplications
from pbxsite.administration.clients.secret_page import CHANGE, secret_path
from pbxsite.administration.deletion import GoesAlong, TellsWhatGoes
from pbxsite.administration.lists import OwnLookups
from pbxsite.administration.owner_check import OwnerMixin
from pbxsite.gateway.openid.models import Grant, OpenIdClient

# allauth's rows follow from ours; edited by themselves they would not.
admin.site.unregister([RegisteredClient, Token])


class FixedParts:
    """Some parts of an application stay: others have its short name in their files."""

    def get_readonly_fields(
        self, request: HttpRequest, obj: ClientApplication | None = None
    ) -> tuple[str, ...]:
        fixed: tuple[str, ...] = ("forward_auth",)
        if obj:
            fixed = (*fixed, "slug")
        return (*fixed, "kind") if obj and obj.is_from_the_start else fixed

    def has_delete_permission(
        self, request: HttpRequest, obj: ClientApplication | None = None
    ) -> bool:
        kept = obj is not None and obj.is_from_the_start
        may_delete: bool = super().has_delete_permission(request, obj)  # type: ignore[misc]
        return may_delete and not kept

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[Any, Any, set[Any], Any]:
        """Keep the applications of every site from the list's action as well."""
        applications = list(objs)
        found, counts, missing, protected = super().get_deleted_objects(  # type: ignore[misc]
            applications, request
        )
        kept = [each.name for each in applications if each.is_from_the_start]
        return found, counts, missing, [*protected, *kept]


WITH_APPLICATIONS = (
    GoesAlong(
        _("Secrets, which stop working at once"),
        lambda clients: OpenIdClient.objects.filter(application__in=clients),
    ),
    GoesAlong(
        _("Sessions whose users are logged in there"),
        lambda clients: UserSession.objects.filter(
            pk__in=Grant.objects.filter(
                client__in=OpenIdClient.objects.filter(application__in=clients).values(
                    "client"
                )
            ).values("session")
        ),
    ),
)


@admin.register(ClientApplication)
class ClientApplicationAdmin(
    OwnLookups, OwnerMixin, FixedParts, TellsWhatGoes, RecordedApplications, ModelAdmin
):
    goes_along = WITH_APPLICATIONS
    form = ApplicationForm
    fieldsets = (
        (None, {"fields": ("name", "slug", "kind", "icon")}),
        (_("Addresses"), {"fields": ("start_url", "return_urls")}),
        (
            _("How it learns who its visitor is"),
            {"fields": ("asks_by", "is_own", "tells_groups", "forward_auth")},
        ),
        (_("App service"), {"fields": ("app_password",)}),
    )
    list_display = ("name", "slug", "kind", "asks_by", "start_url")
    list_filter = ("kind", "asks_by")
    list_select_related = False
    search_fields = ("name", "slug", "start_url", "return_urls")
    search_help_text = _("Name, short name or address")
    radio_fields = {"kind": admin.HORIZONTAL, "asks_by": admin.VERTICAL}

    def get_urls(self) -> list[URLPattern]:
        return [secret_path(self), *super().get_urls()]

    def get_inlines(
        self, request: HttpRequest, obj: ClientApplication | None
    ) -> list[type[OpenIdInline]]:
        return [OpenIdInline] if obj and obj.asks(AsksBy.OPENID) else []

    @display(description=_("Address for the proxy"))
    def forward_auth(self, application: ClientApplication) -> SafeString | str:
        if not application.pk:
            return gettext("Shown once the client is saved.")
        return format_html("<code>{}</code>", application.forward_auth_address)

    def response_add(
        self, request: HttpRequest, obj: ClientApplication, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        response: HttpResponse = super().response_add(request, obj, *args, **kwargs)
        if not obj.asks(AsksBy.OPENID):
            return response
        text = gettext("Now enter the redirect URIs, save, and make the secret.")
        messages.info(request, text)
        return redirect(CHANGE, obj.pk)
