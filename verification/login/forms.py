"""TODO docstring of verification.login.forms"""

from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm as AllauthLoginForm
from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from authconfig.clients.choices import Kind
from authconfig.methods.refusal import LoginRefusedError


class LoginForm(AllauthLoginForm):
    """allauth's form, told which client the login is for."""

    def __init__(self, *args: Any, client: Kind, **kwargs: Any) -> None:
        self.client = client
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("User name")
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
        self.fields["login"].widget.attrs |= {
            "autocapitalize": "none",
            "spellcheck": "false",
            "autofocus": True,
        }

    def user_credentials(self) -> dict[str, Any]:
        credentials: dict[str, Any] = super().user_credentials()
        return credentials | {"client": self.client}

    def clean(self) -> dict[str, Any]:
        try:
            cleaned: dict[str, Any] = super().clean()
        except LoginRefusedError as refusal:
            raise forms.ValidationError(refusal.sentence) from refusal
        return cleaned

    def login(
        self, request: HttpRequest, redirect_url: str | None = None
    ) -> HttpResponse:
        self._login.state["client"] = self.client.value
        response: HttpResponse = super().login(request, redirect_url)
        return response
