"""Asking an administrator whose login is old once more who he is, on the form itself.

So nothing that was typed is lost on the way, and no new password lies in the session.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget

from authconfig.models import PbxUser
from authconfig.reauthentication import (
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


class OwnPasswordField(forms.CharField):
    """Of him who fills in the form, whomever it is about."""

    def __init__(self) -> None:
        super().__init__(
            label=_("Your own password"),
            help_text=_(
                "Your login is older than 15 minutes: what decides who logs in is saved"
                " only with the password of your own account."
            ),
            required=False,
            strip=False,
            widget=UnfoldAdminPasswordWidget({"autocomplete": "current-password"}),
        )

    def has_changed(self, *_values: Any) -> bool:
        return False


def check_owner(form: forms.BaseForm, request: HttpRequest) -> None:
    """Add a fault to a form whose sender has to show again who he is."""
    field = OWN_PASSWORD if question_for(request) == OWN_PASSWORD else None
    fault = reauthentication_fault(request, form.cleaned_data.get(OWN_PASSWORD, ""))
    if fault:
        form.add_error(field, fault)


def lets_in(form: forms.ModelForm) -> bool:  # type: ignore[type-arg]
    """Does it change who gets in? To keep somebody out nobody is asked anything."""
    changed = GUARDED & set(form.changed_data)
    if not form.cleaned_data.get("is_active"):
        changed.discard("is_active")
    return bool(changed)


def question_for(request: HttpRequest) -> str:
    """Return the field that asks an old login; "" for one that is proof enough."""
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
        may_change = obj and self.has_change_permission(request, obj)  # type: ignore[attr-defined]
        question = question_for(request) if may_change else ""
        asked = (_("Confirmation"), {"fields": (question,)})
        return [*shown, asked] if question else shown

    @display(description=_("Your login"))
    def log_in_again(self, user: PbxUser) -> SafeString:
        return again_link(reverse("admin:authconfig_pbxuser_change", args=[user.pk]))


def again_link(page: str) -> SafeString:
    """To another tab, so that what was typed in this one stays."""
    return format_html(
        '{} <a href="{}?{}" target="_blank" rel="noopener" class="text-primary-600'
        ' dark:text-primary-500 underline">{}</a>',
        gettext("It is older than 15 minutes."),
        reverse("account_login_again"),
        urlencode({"next": page}),
        gettext("Log in again in another tab, then save here"),
    )
