"""The forms of a client application's page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from authconfig.clients.models import ClientApplication
from authconfig.fields import SecretFormField, SecretInput
from pbxsite.administration.owner_check import AskingForm, DecidingForm
from pbxsite.gateway.openid.models import OpenIdClient


class LinesField(forms.CharField):
    """One address in each line, without what surrounds it.

    Browsers send other line ends than are stored, which would look like a change.
    """

    def to_python(self, value: Any) -> str:
        lines = str(super().to_python(value)).splitlines()
        return "\n".join(filter(None, map(str.strip, lines)))


class ApplicationForm(AskingForm):
    harmless = frozenset({"name", "icon"})
    app_password = SecretFormField(
        required=False,
        strip=False,
        max_length=128,
        label=_("App password"),
        help_text=ClientApplication._meta.get_field("app_password").help_text,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if field := self.fields.get("app_password"):
            assert isinstance(field.widget, SecretInput)
            field.widget.is_stored = bool(self.instance.app_password)

    def clean_app_password(self) -> str:
        """Left empty, the stored one is kept."""
        entered: str | None = self.cleaned_data["app_password"]
        kept: str = self.instance.app_password
        return "" if entered is None else entered or kept

    class Meta:
        model = ClientApplication
        fields = "__all__"  # the admin names the fields
        field_classes = {"return_urls": LinesField}


ENTERED = (
    "redirect_uris",
    "logout_uris",
    "back_channel_uri",
    "is_public",
    "without_pkce",
    "checks_tokens",
)


class OpenIdForm(DecidingForm):
    """Its page shows only the faults of fields; each rule's code names one."""

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # missing in stubs alone
        of_rules = self.errors.pop(NON_FIELD_ERRORS, None)
        for fault in of_rules.as_data() if of_rules else ():
            field = fault.code if fault.code in self.fields else None
            self.add_error(field, fault)

    class Meta:
        model = OpenIdClient
        fields = ENTERED
        field_classes = {"redirect_uris": LinesField, "logout_uris": LinesField}
        widgets = {
            "redirect_uris": UnfoldAdminTextareaWidget(attrs={"rows": 3}),
            "logout_uris": UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        }
