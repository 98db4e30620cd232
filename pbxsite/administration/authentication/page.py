"""The admin's page "Authentication", which decides who may log in and how."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from authconfig.models import AuthenticationSettings
from authconfig.sections import SETTINGS_PAGE
from pbxsite.administration.alarms import trials as alarm_trials
from pbxsite.administration.authentication import voicemail_key
from pbxsite.administration.authentication.account_trials import (
    trial_status,
    try_account,
)
from pbxsite.administration.authentication.kept import entries
from pbxsite.administration.authentication.method_trials import try_netlogon, try_oauth2
from pbxsite.administration.authentication.page_context import page_context
from pbxsite.administration.authentication.posted_form import opened_form, saved_form
from pbxsite.administration.authentication.preview import preview
from pbxsite.administration.directory_runs import scim_page
from pbxsite.administration.directory_runs import views as directory_runs

TEMPLATE = "admin/authconfig/authenticationsettings/page.html"
NAME = "authconfig_authenticationsettings"
# The page's parts: address, view and name.
PARTS = (
    ("preview/", preview, "preview"),
    ("send-test/", try_account, "try_account"),
    ("send-test/<uuid:public_id>/", trial_status, "trial_status"),
    ("test-netlogon/", try_netlogon, "try_netlogon"),
    ("test-oauth2/", try_oauth2, "try_oauth2"),
    ("test-alarm-mail/", alarm_trials.try_mail, "try_alarm_mail"),
    ("test-alarm-webhook/", alarm_trials.try_webhook, "try_alarm_webhook"),
    ("voicemail-key/make/", voicemail_key.make, "make_voicemail_key"),
    ("voicemail-key/revoke/", voicemail_key.revoke, "revoke_voicemail_key"),
    *directory_runs.PARTS,
    *scim_page.PARTS,
)
may_change = permission_required(
    "authconfig.change_authenticationsettings", raise_exception=True
)


@admin.register(AuthenticationSettings)
class SettingsPage(ModelAdmin):
    """One row, so one page: where the list would be, and with no add or delete."""

    offered_rights = ()
    # Whoever decides how people log in can log in as anybody.
    own_rights = {
        "change_authenticationsettings": gettext_lazy(
            "change, which amounts to all rights"
        )
    }

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.has_change_permission(request, obj))

    def get_urls(self) -> list[URLPattern]:
        parts = [
            path(
                route,
                self.admin_site.admin_view(may_change(view)),
                name=f"{NAME}_{key}",
            )
            for route, view, key in PARTS
        ]
        page = self.admin_site.admin_view(self.changelist_view)
        page.keep_posted = entries.keep
        return [path("", page, name=f"{NAME}_changelist"), *parts, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        return redirect(SETTINGS_PAGE)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        is_post = request.method == "POST"
        form = saved_form(request) if is_post else opened_form(request)
        if is_post and not form.errors:
            return redirect(SETTINGS_PAGE)
        shared = self.admin_site.each_context(request)
        return TemplateResponse(request, TEMPLATE, shared | page_context(request, form))
