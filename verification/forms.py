"""What people enter to decide about a login."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import PasswordChangeForm
from django.utils.translation import gettext_lazy as _

from authconfig.models import PbxUser
from verification.choices import Decision


class DecisionForm(forms.Form):
    """`code` is needed for "accept" alone."""

    code = forms.CharField(
        label=_("Code"),
        required=False,
        max_length=8,
        widget=forms.TextInput(
            attrs={
                "inputmode": "numeric",
                "autocomplete": "one-time-code",
                "pattern": "[0-9]{4}",
                "maxlength": "4",
                "required": True,
            }
        ),
    )
    decision = forms.ChoiceField(choices=Decision.choices)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        code = cleaned.get("code", "").replace(" ", "")
        accepts = cleaned.get("decision") == Decision.ACCEPT
        if accepts and not (len(code) == 4 and code.isascii() and code.isdigit()):
            self.add_error("code", _("Enter the four digits of the waiting page."))
        return cleaned | {"code": code}


class EndingForm(forms.Form):
    """Stands on the page of a rejection alone."""

    token = forms.CharField(widget=forms.HiddenInput)


class OwnPasswordForm(PasswordChangeForm):
    """Django's, in our words."""

    error_messages = PasswordChangeForm.error_messages | {
        "password_incorrect": _("This is not your present PBX password."),
        "password_mismatch": _("The two new passwords are not the same."),
    }

    def clean_new_password1(self) -> str:
        new: str = self.cleaned_data["new_password1"]
        if self.user.check_password(new):
            raise forms.ValidationError(
                _("This is your present password. Enter another.")
            )
        return new

    def validate_password_for_user(self, user: PbxUser, *_names: str) -> None:
        """Django would show the fault at the repetition."""
        super().validate_password_for_user(user, "new_password1")
