"""The admin's forms for PBX users."""

from __future__ import annotations

from typing import Any

from allauth.core import context
from django import forms
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminPasswordChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminRadioSelectWidget

from authconfig import lockout
from authconfig.models import current_rules
from authconfig.sync.choices import CHANGED_THERE
from authconfig.sync.present import fields_from, source_of
from authconfig.users import kept_passwords
from authconfig.users.changes import check_name
from authconfig.users.models import PbxUser
from authconfig.users.passwords import PASSWORD_FIELDS
from pbxsite.administration.owner_check import (
    AskingForm,
    OwnPasswordField,
    again_link,
    check_owner,
    question_for,
)

PASSWORD_CHOICES = [
    ("true", _("Set a PBX password")),
    ("false", _("No PBX password")),
]


def new_password(cleaned: dict[str, Any]) -> str | None:
    """Return what a valid form of Django sets, None where the user shall have none."""
    return cleaned["password1"] if cleaned["set_usable_password"] else None


class NameForm(AskingForm):
    harmless = frozenset({"long_name", "number", "language", "time_zone"})

    def clean_name(self) -> str:
        name: str = PbxUser.normalize_username(self.cleaned_data["name"])
        check_name(name, besides=self.instance.pk)
        return name


class PbxUserAddForm(NameForm, UserCreationForm):
    class Meta:
        model = PbxUser
        fields = ("name", "long_name", "email", "number", "language", "time_zone")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        usable = self.fields["usable_password"]
        assert isinstance(usable, forms.ChoiceField)
        usable.label = _("PBX password")
        usable.help_text = _("Without one, the user logs in by Netlogon or OAuth2.")
        usable.choices = PASSWORD_CHOICES
        usable.widget = UnfoldAdminRadioSelectWidget(choices=PASSWORD_CHOICES)


class PbxUserForm(NameForm):
    class Meta:
        model = PbxUser
        fields = "__all__"  # the admin names the fields
        labels = {"is_superuser": _("All rights")}
        help_texts = {
            "is_superuser": _(
                "An administrator without all rights may do what the groups and"
                " permissions below allow."
            )
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        source = source_of(self.instance)
        if source is None:
            return
        for name in fields_from(source, current_rules()) & self.fields.keys():
            # Whatever is posted, a disabled field keeps its value.
            self.fields[name].disabled = True
            self.fields[name].help_text = CHANGED_THERE[source]

    def deciding_changes(self) -> set[str]:
        """Leave out what keeps the user out: that needs no proof."""
        found = super().deciding_changes()
        return found if self.cleaned_data.get("is_active") else found - {"is_active"}

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        if self.instance.pk == self.request.user.pk:
            self._refuse_own_end(cleaned)
        if not self.errors and lockout.leaves_nobody([self.instance]):
            self._refuse_last_end(cleaned)
        if cleaned.get("is_superuser") and not cleaned.get("is_staff"):
            self.add_error(
                "is_superuser", _("All rights are for administrators: tick that too.")
            )
        return super().clean()

    def _refuse_own_end(self, cleaned: dict[str, Any]) -> None:
        faults = {
            "is_active": _("You cannot deactivate yourself."),
            "is_staff": _("You cannot take the administration away from yourself."),
            "is_superuser": _("You cannot take your own rights away."),
        }
        remedy = _("Ask another administrator to do it.")
        for field, fault in faults.items():
            if getattr(self.request.user, field) and cleaned.get(field) is False:
                self.add_error(field, f"{fault} {remedy}")

    def _refuse_last_end(self, cleaned: dict[str, Any]) -> None:
        for field in ("is_active", "is_staff", "is_superuser"):
            if getattr(self.instance, field) and cleaned.get(field) is False:
                self.add_error(field, lockout.last_one())
        if not cleaned.get("email", "?") and lockout.needs_email():
            self.add_error(
                "email",
                _(
                    "Two-factor authentication is on, and no other administrator who"
                    " can log in has an address: nobody could approve a login any"
                    " more."
                ),
            )


class PasswordForm(AdminPasswordChangeForm):
    """Sets or removes a user's PBX password."""

    own_password = OwnPasswordField()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        removed = not cleaned.get("set_usable_password", True)
        if removed and lockout.needs_password(self.user):
            raise forms.ValidationError(lockout.last_one())
        check_owner(self, context.request)
        return cleaned

    def save(self, commit: bool = True) -> PbxUser:  # noqa: FBT001, FBT002
        """Save the password alone: somebody may deactivate the user meanwhile."""
        user: PbxUser = super().save(commit=False)
        user.save(update_fields=PASSWORD_FIELDS)
        kept_passwords.keep(user, new_password(self.cleaned_data))
        return user

    @property
    def question(self) -> str:
        return question_for(context.request)

    @property
    def again_link(self) -> SafeString:
        return again_link()
