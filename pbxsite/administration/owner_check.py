"""A form that asks administrators whose login is old once more who they are.

Asking on the form itself loses nothing that was typed, and keeps new passwords out of
the session.
"""

from __future__ import annotations

from typing import Any

from allauth.core import context
from django import forms
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import lazy
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget

from authconfig.users.models import PbxUser
from verification.sessions.reauthentication import (
    can_reauthenticate_by_password,
    is_recently_authenticated,
    reauthentication_fault,
)

OWN_PASSWORD = "own_password"  # noqa: S105
LOG_IN_AGAIN = "log_in_again"
# What decides who gets in, and as whom.
GUARDED = {
    "name",
    "email",
    "is_active",
    "is_staff",
    "is_superuser",
    "groups",
    "user_permissions",
}


def _own_password_help() -> SafeString:
    return format_html(
        "{} {} {}",
        gettext(
            "Your login is older than 15 minutes: what decides who logs in is saved"
            " only with the password of your own account."
        ),
        gettext("If you do not know it:"),
        _link_again(),
    )


class OwnPasswordField(forms.CharField):
    """The password of whoever fills in the form, whomever the form is about."""

    def __init__(self) -> None:
        super().__init__(
            label=_("Your own password"),
            help_text=lazy(_own_password_help, str)(),
            required=False,
            strip=False,
            widget=UnfoldAdminPasswordWidget({"autocomplete": "current-password"}),
        )

    def has_changed(self, *_values: Any) -> bool:
        return False


def check_owner(form: forms.BaseForm, request: HttpRequest) -> None:
    """Add a fault to a form whose sender has to show again who they are."""
    field = OWN_PASSWORD if question_for(request) == OWN_PASSWORD else None
    fault = reauthentication_fault(request, form.cleaned_data.get(OWN_PASSWORD, ""))
    if fault:
        form.add_error(field, fault)


def lets_in(form: forms.ModelForm) -> bool:  # type: ignore[type-arg]
    """Does the form let somebody in? Keeping somebody out needs no proof."""
    changed = GUARDED & set(form.changed_data)
    if not form.cleaned_data.get("is_active"):
        changed.discard("is_active")
    return bool(changed)


def question_for(request: HttpRequest) -> str:
    """Return the field that asks an old login; "" if the login is proof enough."""
    assert isinstance(request.user, PbxUser)
    if is_recently_authenticated(request):
        return ""
    by_password = can_reauthenticate_by_password(request.user)
    return OWN_PASSWORD if by_password else LOG_IN_AGAIN


class OwnerMixin:
    """A user's page that asks an old login for the password, or to log in again."""

    def get_fieldsets(
        self, request: HttpRequest, obj: PbxUser | None = None
    ) -> list[tuple[Any, Any]]:
        shown = list(super().get_fieldsets(request, obj))  # type: ignore[misc]
        question = question_for(request) if self._may_save(request, obj) else ""
        asked = (_("Confirmation"), {"fields": (question,)})
        return [*shown, asked] if question else shown

    def _may_save(self, request: HttpRequest, obj: PbxUser | None) -> bool:
        if obj is None:
            return bool(self.has_add_permission(request))  # type: ignore[attr-defined]
        return bool(self.has_change_permission(request, obj))  # type: ignore[attr-defined]

    @display(description=_("Your login"))
    def log_in_again(self, _user: PbxUser) -> SafeString:
        return again_link()


def again_link() -> SafeString:
    return format_html("{} {}", gettext("It is older than 15 minutes."), _link_again())


def _link_again() -> SafeString:
    """Link to another tab, so that what was typed in this one stays."""
    return format_html(
        '<a href="{}?{}" target="_blank" rel="noopener" class="text-primary-600'
        ' dark:text-primary-500 underline">{}</a>',
        reverse("account_login_again"),
        urlencode({"next": context.request.path}),
        gettext("Log in again in another tab, then save here"),
    )
