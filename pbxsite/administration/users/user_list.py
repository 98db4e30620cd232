"""The columns, filters and search of the list of PBX users."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from unfold.decorators import display

from authconfig.clients.choices import Kind
from authconfig.models import current_rules
from authconfig.users.changes import without_factor
from authconfig.users.models import PbxUser
from pbxsite.administration.cells import badge, because, mail_address, moment
from pbxsite.administration.entry.answers import answer
from pbxsite.administration.entry.facts import FACTS, with_facts
from pbxsite.administration.entry.view import WhoCanLogIn
from pbxsite.administration.entry.words import why_not
from pbxsite.administration.lists import GrowingList

NO_EMAIL = "no-email"
NO_FACTOR = "none"


class WithoutEmailFilter(admin.SimpleListFilter):
    """Filters who needs a session that exists for two-factor authentication."""

    title = _("e-mail address")
    parameter_name = "email_address"

    def lookups(self, *args: Any) -> list[tuple[str, Any]]:
        return [(NO_EMAIL, _("without e-mail address"))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[PbxUser]
    ) -> QuerySet[PbxUser]:
        return queryset.filter(email="") if self.value() == NO_EMAIL else queryset


class WithoutFactorFilter(admin.SimpleListFilter):
    """Filters who has to set a factor up where one is required."""

    title = _("second factor")
    parameter_name = "factor"

    def lookups(self, *args: Any) -> list[tuple[str, Any]]:
        return [(NO_FACTOR, _("without passkey and authenticator app"))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[PbxUser]
    ) -> QuerySet[PbxUser]:
        return without_factor(queryset) if self.value() == NO_FACTOR else queryset


class UserList(GrowingList):
    list_display = (
        *("name", "long_name", "email_or_warning", "number"),
        *("access", "role", "last_seen"),
    )
    labelled_on_phones = ("last_seen",)
    list_filter = ("is_active", "is_staff", WithoutEmailFilter, WithoutFactorFilter)
    search_fields = ("name", "long_name", "email", "number")
    search_help_text = _("Name, long name, e-mail address or number")
    ordering = ("name_key",)
    list_select_related = False
    admin_site: admin.AdminSite

    def get_urls(self) -> list[URLPattern]:
        shown = WhoCanLogIn(PbxUser, self.admin_site)
        views = (
            ("access", shown.changelist_view),
            ("access_csv", shown.csv_view),
            ("access_json", shown.json_view),
        )
        own = [
            path(
                f"{key.replace('_', '/')}/",
                self.admin_site.admin_view(require_safe(view)),
                name=f"users_pbxuser_{key}",
            )
            for key, view in views
        ]
        urls: list[URLPattern] = super().get_urls()  # type: ignore[misc]
        return [*own, *urls]

    @display(description=_("e-mail address"), ordering="email")
    def email_or_warning(self, user: PbxUser) -> str:
        if not user.email:
            return badge(gettext("No e-mail address"), "warning")
        return mail_address(user.email)

    @display(description=_("login"), ordering="is_active")
    def access(self, user: PbxUser) -> str:
        if not user.is_active:
            return badge(gettext("Inactive"), "warning")
        found = answer(current_rules(), getattr(user, FACTS))
        if not found.myapps:
            return badge(gettext("Can log in"), "success")
        return because(gettext("Cannot log in"), why_not(found, Kind.MYAPPS))

    def get_queryset(self, request: HttpRequest) -> QuerySet[PbxUser]:
        users: QuerySet[PbxUser] = super().get_queryset(request)  # type: ignore[misc]
        return with_facts(users, current_rules())

    @display(description=_("administrator"), ordering="is_staff", label="info")
    def role(self, user: PbxUser) -> str:
        if user.is_superuser and user.is_staff:
            return gettext("All rights")
        return gettext("Some rights") if user.is_staff else ""

    @display(description=_("last login"), ordering="last_login")
    def last_seen(self, user: PbxUser) -> str:
        return moment(user.last_login)
