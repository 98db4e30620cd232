"""What people enter about logins, sessions and passwords, and the PBX's voicemails."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from verification.approval.choices import Decision


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
