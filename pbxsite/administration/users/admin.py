"""The admin's pages for PBX users, groups and the audit log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from allauth.account.admin import EmailAddress
from allauth.socialaccount.admin import SocialAccount, SocialApp, SocialToken
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from authconfig import lockout
from authconfig.choices import Event
from authconfig.users import audit
from authconfig.users.audit import origin_of
from authconfig.users.changes import (
    difference,
    end_sessions,
    follow_session,
    without_factor,
)
from authconfig.users.models import PbxUser
from pbxsite.administration.lists import LINK, GrowingList, moment
from pbxsite.administration.owner_check import LOG_IN_AGAIN, OwnerMixin
from pbxsite.administration.users.forms import PasswordForm, PbxUserAddForm, PbxUserForm
from pbxsite.administration.users.identities import IdentitiesMixin
from pbxsite.administration.users.import_pages import UserFileMixin
from pbxsite.administration.users.rights import RightsMixin, gained_and_lost, is_above

NO_EMAIL = "no-email"
NO_FACTOR = "none"
MANY = ("groups", "user_permissions")
RIGHTS = ("is_staff", "is_superuser", *MANY)


class WithoutEmailFilter(admin.SimpleListFilter):
    """Two-factor authentication needs an address, or a session that exists."""

    title = _("e-mail address")
    parameter_name = "email_address"

    def lookups(self, *args: Any) -> list[tuple[str, Any]]:
        return [(NO_EMAIL, _("without e-mail address"))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[PbxUser]
    ) -> QuerySet[PbxUser]:
        return queryset.filter(email="") if self.value() == NO_EMAIL else queryset


class WithoutFactorFilter(admin.SimpleListFilter):
    """Who has to set one up where a factor is required."""

    title = _("second factor")
    parameter_name = "factor"

    def lookups(self, *args: Any) -> list[tuple[str, Any]]:
        return [(NO_FACTOR, _("without passkey and authenticator app"))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[PbxUser]
    ) -> QuerySet[PbxUser]:
        return without_factor(queryset) if self.value() == NO_FACTOR else queryset


class AccessRules:
    """Who may do what to whom: nobody rises, and nobody ends himself by mistake."""

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
        """What goes with a user needs no right of its own: its lists are read-only."""
        users = list(objs)
        found, counts, missing, protected = super().get_deleted_objects(users, request)  # type: ignore[misc]
        own = {PbxUser._meta.verbose_name} & set(missing)
        if lockout.leaves_nobody(users):
            messages.error(request, lockout.last_one())
            protected = [*protected, *(user.name for user in users if user.is_staff)]
        return found, counts, own, protected


class Recorded:
    """Every change goes to the audit log, and ends the sessions it has to end."""

    def save_model(
        self,
        request: HttpRequest,
        obj: PbxUser,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        before = PbxUser.objects.get(pk=obj.pk) if change else None
        super().save_model(request, obj, form, change)  # type: ignore[misc]
        changes = [difference(before, obj)]
        # They are saved after this.
        changes += [
            gained_and_lost(name, getattr(obj, name).all(), form.cleaned_data[name])
            for name in MANY
            if name in form.changed_data
        ]
        if told := ", ".join(filter(None, changes)):
            record_change(request, obj, told)
        if before and before.is_active and not obj.is_active:
            _say_ended(request, end_sessions([obj]))

    def delete_model(self, request: HttpRequest, obj: PbxUser) -> None:
        self.delete_queryset(request, PbxUser.objects.filter(pk=obj.pk))

    def delete_queryset(
        self, request: HttpRequest, queryset: QuerySet[PbxUser]
    ) -> None:
        users = list(queryset)
        end_sessions(users)
        queryset.delete()
        for user in users:
            record_change(request, None, "deleted", user_name=user.name)

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,
        form_url: str = "",
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


@admin.register(PbxUser)
class PbxUserAdmin(  # type: ignore[misc]  # the stubs want Django's own paginator
    RightsMixin,
    AccessRules,
    OwnerMixin,
    Recorded,
    UserFileMixin,
    IdentitiesMixin,
    GrowingList,
    BaseUserAdmin,  # type: ignore[type-arg]  # the stubs make it generic
    ModelAdmin,
):
    form = PbxUserForm
    add_form = PbxUserAddForm
    add_form_template = None
    change_password_form = PasswordForm
    change_user_password_template = "admin/users/pbxuser/password.html"  # noqa: S105
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "long_name",
                    "email",
                    "number",
                    "language",
                    "time_zone",
                )
            },
        ),
        (
            _("Login"),
            {"fields": ("is_active", "pbx_password", "oauth2_accounts", "last_login")},
        ),
        (_("Administration"), {"fields": RIGHTS[:2]}),
        (
            _("Groups and permissions"),
            {"fields": MANY, "classes": ("collapse",)},
        ),
    )
    add_fieldsets = (
        fieldsets[0],
        (_("Password"), {"fields": ("usable_password", "password1", "password2")}),
    )
    readonly_fields = ("pbx_password", "oauth2_accounts", "last_login", LOG_IN_AGAIN)
    list_display = (
        "name",
        "long_name",
        "email_or_warning",
        "number",
        "access",
        "role",
        "last_seen",
    )
    list_filter = ("is_active", "is_staff", WithoutEmailFilter, WithoutFactorFilter)
    search_fields = ("name", "long_name", "email", "number")
    search_help_text = _("Name, long name, e-mail address or number")
    ordering = ("name_key",)
    list_select_related = False
    filter_horizontal = ()

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> type[Any]:
        form: type[Any] = super().get_form(request, *args, **kwargs)
        return type(form.__name__, (form,), {"request": request})

    @display(description=_("e-mail address"), ordering="email")
    def email_or_warning(self, user: PbxUser) -> str:
        return user.email or _label(gettext("No e-mail address"), "warning")

    @display(
        description=_("login"),
        ordering="is_active",
        label={"active": "success", "inactive": "danger"},
    )
    def access(self, user: PbxUser) -> tuple[str, str]:
        if user.is_active:
            return "active", gettext("Active")
        return "inactive", gettext("Inactive")

    @display(description=_("administrator"), ordering="is_staff", label="info")
    def role(self, user: PbxUser) -> str:
        if user.is_superuser and user.is_staff:
            return gettext("All rights")
        return gettext("Some rights") if user.is_staff else ""

    @display(description=_("last login"), ordering="last_login")
    def last_seen(self, user: PbxUser) -> str:
        return moment(user.last_login)

    @display(description=_("PBX password"))
    def pbx_password(self, user: PbxUser) -> SafeString:
        has_one = user.has_usable_password()
        return format_html(
            LINK,
            gettext("Set.") if has_one else gettext("None."),
            reverse("admin:auth_user_password_change", args=[user.pk]),
            gettext("Change or remove it") if has_one else gettext("Set one"),
        )


def _label(text: str, kind: str) -> SafeString:
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": kind})


# Importing their admins registered them; nothing takes their places.
admin.site.unregister([EmailAddress, SocialAccount, SocialApp, SocialToken])
