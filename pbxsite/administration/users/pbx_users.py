"""The admin's pages for PBX users."""

from __future__ import annotations

from typing import Any

from allauth.account.admin import EmailAddress
from allauth.socialaccount.admin import SocialAccount, SocialApp, SocialToken
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from authconfig.choices import Method
from authconfig.models import current_rules
from authconfig.policy import uses
from authconfig.users.models import PbxUser
from pbxsite.administration.cells import LINK
from pbxsite.administration.deletion import TellsWhatGoes
from pbxsite.administration.invitations.generated import (
    GENERATE,
    GeneratedPasswordMixin,
)
from pbxsite.administration.invitations.inviting import InvitingMixin, invite_selected
from pbxsite.administration.owner_check import OwnerMixin
from pbxsite.administration.users.forms import PasswordForm, PbxUserAddForm, PbxUserForm
from pbxsite.administration.users.hub.actions import HubActionsMixin
from pbxsite.administration.users.hub.parts import hub
from pbxsite.administration.users.identities import IdentitiesMixin
from pbxsite.administration.users.import_pages import UserFileMixin
from pbxsite.administration.users.permitted_changes import PermittedChanges
from pbxsite.administration.users.recorded_changes import RecordedUsers
from pbxsite.administration.users.rights import MANY, ONE, RightsMixin
from pbxsite.administration.users.unlocking import UnlockingMixin
from pbxsite.administration.users.user_list import UserList
from pbxsite.administration.users.what_goes import WITH_USERS

# Importing allauth's pages registered them; nothing takes their places.
admin.site.unregister([EmailAddress, SocialAccount, SocialApp, SocialToken])
FACTS = ("name", "long_name", "email", "number", "language", "time_zone")
LOGIN = (
    *("is_active", "pbx_password", "invitation", "oauth2_accounts"),
    *("last_seen", "failed_logins"),
)
READ_ONLY = (
    *("pbx_password", "invitation", "oauth2_accounts"),
    *("last_seen", "failed_logins"),
)


@admin.register(PbxUser)
class PbxUserAdmin(  # type: ignore[misc]  # the stubs want Django's own paginator
    RightsMixin,
    PermittedChanges,
    TellsWhatGoes,
    OwnerMixin,
    RecordedUsers,
    UserFileMixin,
    IdentitiesMixin,
    UnlockingMixin,
    HubActionsMixin,
    InvitingMixin,
    GeneratedPasswordMixin,
    UserList,
    BaseUserAdmin,  # type: ignore[type-arg]  # the stubs make it generic
    ModelAdmin,
):
    goes_along = WITH_USERS
    form = PbxUserForm
    add_form = PbxUserAddForm
    add_form_template = None
    change_password_form = PasswordForm
    change_user_password_template = "admin/users/pbxuser/password.html"  # noqa: S105
    fieldsets = (
        (None, {"fields": FACTS}),
        (_("Login"), {"fields": LOGIN}),
        (_("Administration"), {"fields": ONE}),
        (_("Groups and permissions"), {"fields": MANY, "classes": ("collapse",)}),
    )
    add_fieldsets = (
        fieldsets[0],
        (_("Password"), {"fields": ("usable_password", "password1", "password2")}),
    )
    readonly_fields = READ_ONLY
    filter_horizontal = ()
    actions = [invite_selected]
    change_form_template = "admin/users/pbxuser/change_form.html"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        user = self.get_object(request, unquote(object_id))
        shown = {"hub": hub(request, user)} if user else {}
        page: HttpResponse = super().change_view(
            request, object_id, form_url, (extra_context or {}) | shown
        )
        return page

    @display(description=_("PBX password"))
    def pbx_password(self, user: PbxUser) -> SafeString:
        has_one = user.has_usable_password()
        entered = format_html(
            LINK,
            gettext("Set.") if has_one else gettext("None."),
            reverse("admin:auth_user_password_change", args=[user.pk]),
            gettext("Change or remove it") if has_one else gettext("Set one"),
        )
        if not uses(current_rules(), Method.PASSWORD):
            return entered
        url = reverse(f"admin:{GENERATE}", args=[user.pk])
        return entered + format_html(LINK, "", url, gettext("Generate one"))
