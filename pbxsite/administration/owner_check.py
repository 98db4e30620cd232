"""Forms that ask administrators whose login is old once more who they are.

They ask before they save what decides who gets in, or who is told codes. Asking on the
form itself loses nothing that was typed, and keeps new passwords out of the session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

from allauth.core import context
from django import forms
from django.db.models import Model
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


def _own_password_help() -> SafeString:
    return format_html(
        "{} {} {}",
        gettext(
            "Your login is older than 15 minutes: what decides who logs in, and where"
            " to, is saved only with the password of your own account."
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


class DecidingForm(forms.ModelForm):  # type: ignore[type-arg]  # in stubs alone
    """Every field decides who gets in, unless the form calls it harmless."""

    harmless: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def deciding(cls, names: Iterable[str]) -> set[str]:
        return set(names) - cls.harmless - {OWN_PASSWORD}

    def deciding_changes(self) -> set[str]:
        return self.deciding(self.changed_data)


class AskingForm(DecidingForm):
    """A page's own form. The admin sets `request` and `is_decided_beside` each time."""

    request: HttpRequest
    # Do the forms below this one, which are read later, decide something?
    is_decided_beside: Callable[[], bool]
    own_password = OwnPasswordField()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        is_new = self.instance._state.adding
        if is_new or self.deciding_changes() or self.is_decided_beside():
            check_owner(self, self.request)
        return cleaned


def question_for(request: HttpRequest) -> str:
    """Return the field that asks an old login; "" if the login is proof enough."""
    assert isinstance(request.user, PbxUser)
    if is_recently_authenticated(request):
        return ""
    by_password = can_reauthenticate_by_password(request.user)
    return OWN_PASSWORD if by_password else LOG_IN_AGAIN


class OwnerMixin:
    """A page that asks an old login for the password, or to log in again."""

    def get_form(
        self, request: HttpRequest, obj: Model | None = None, **kwargs: Any
    ) -> type[Any]:
        form: type[Any] = super().get_form(request, obj, **kwargs)  # type: ignore[misc]
        beside = partial(self._is_decided_beside, request, obj)
        own = {"request": request, "is_decided_beside": staticmethod(beside)}
        return type(form.__name__, (form,), own)

    def _is_decided_beside(self, request: HttpRequest, obj: Model | None) -> bool:
        for made, inline in self.get_formsets_with_inlines(request, obj):  # type: ignore[attr-defined]
            prefix = made.get_default_prefix()
            given = self.get_formset_kwargs(request, obj, inline, prefix)  # type: ignore[attr-defined]
            if any(form.deciding_changes() for form in made(**given).forms):
                return True
        return False

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        return (*super().get_readonly_fields(request, obj), LOG_IN_AGAIN)  # type: ignore[misc]

    def get_fieldsets(
        self, request: HttpRequest, obj: Model | None = None
    ) -> list[tuple[Any, Any]]:
        shown = list(super().get_fieldsets(request, obj))  # type: ignore[misc]
        question = question_for(request) if self._may_save(request, obj) else ""
        asked = (_("Confirmation"), {"fields": (question,)})
        return [*shown, asked] if question else shown

    def _may_save(self, request: HttpRequest, obj: Model | None) -> bool:
        if obj is None:
            return bool(self.has_add_permission(request))  # type: ignore[attr-defined]
        return bool(self.has_change_permission(request, obj))  # type: ignore[attr-defined]

    @display(description=_("Your login"))
    def log_in_again(self, _row: Model) -> SafeString:
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
