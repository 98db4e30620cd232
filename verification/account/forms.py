"""The form of the own PBX password."""

from __future__ import annotations

from django import forms
from django.contrib.auth.forms import PasswordChangeForm
from django.utils.translation import gettext_lazy as _

from authconfig.users.models import PbxUser


class OwnPasswordForm(PasswordChangeForm):
    error_messages = PasswordChangeForm.error_messages | {
        "password_incorrect": _("This is not your present PBX password."),
        "password_mismatch": _("The two new passwords are not the same."),
    }

    def clean_new_password1(self) -> str:
        """Compare the two entries alone: each other answer would be a guess more."""
        new: str = self.cleaned_data["new_password1"]
        if new == self.cleaned_data.get("old_password"):
            raise forms.ValidationError(
                _("This is your present password. Enter another.")
            )
        return new

    def validate_password_for_user(self, user: PbxUser, *_names: str) -> None:
        """Show the fault at the new password; Django shows it at the repetition."""
        super().validate_password_for_user(user, "new_password1")
