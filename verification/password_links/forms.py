"""The forms of a forgotten password and of a new one."""

from __future__ import annotations

from django import forms
from django.contrib.auth.forms import SetPasswordForm
from django.utils.translation import gettext_lazy as _

from authconfig.users.models import PbxUser


class ForgottenForm(forms.Form):
    login = forms.CharField(label=_("User name"), max_length=254)


class NewPasswordForm(SetPasswordForm):  # type: ignore[type-arg]  # in stubs alone
    error_messages = SetPasswordForm.error_messages | {
        "password_mismatch": _("The two new passwords are not the same."),
    }

    def validate_password_for_user(self, user: PbxUser, *_names: str) -> None:
        """Show the fault at the new password; Django shows it at the repetition."""
        super().validate_password_for_user(user, "new_password1")
