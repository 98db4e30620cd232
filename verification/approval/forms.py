"""What people enter to decide about a login."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from verification.approval.choices import Decision


class DecisionForm(forms.Form):
    """Only "accept" needs the code."""

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
    """The button on the page of a rejection that ends all sessions."""

    token = forms.CharField(widget=forms.HiddenInput)
