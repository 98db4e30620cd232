"""The login form, and the settings form with its rules across fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from allauth.account.forms import LoginForm as AllauthLoginForm
from django import forms
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from authconfig.choices import Client, Method, NetlogonSecurity, SmtpSecurity
from authconfig.models import AuthenticationSettings, current_settings
from authconfig.policy import uses
from authconfig.sections import FIELDS, SECRETS, SECTIONS
from authconfig.validators import is_loopback, split_port

DEFAULT_PORTS = {
    SmtpSecurity.STARTTLS: 587,
    SmtpSecurity.TLS: 465,
    SmtpSecurity.NONE: 25,
}
EMAIL_FIELDS = next(s.all_fields for s in SECTIONS if s.key == "email")
ACCOUNT_FIELDS = tuple(name for name in EMAIL_FIELDS if name.startswith("smtp_"))


class LoginForm(AllauthLoginForm):  # type: ignore[misc]  # allauth is untyped
    """allauth's form, told which client the login is for."""

    def __init__(self, *args: Any, client: Client, **kwargs: Any) -> None:
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

    def login(
        self, request: HttpRequest, redirect_url: str | None = None
    ) -> HttpResponse:
        self._login.state["client"] = self.client.value
        response: HttpResponse = super().login(request, redirect_url)
        return response


class SecretInput(forms.PasswordInput):
    """A write-only input: empty keeps what is stored, the box beside it removes it."""

    template_name = "authconfig/secret_input.html"

    @staticmethod
    def removal_name(name: str) -> str:
        return f"{name}-remove"

    def value_from_datadict(self, data: Any, files: Any, name: str) -> str | None:
        value: str = super().value_from_datadict(data, files, name) or ""
        removed = self.removal_name(name) in data
        return None if removed and not value else value

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, None, attrs)
        context["widget"] |= {
            "is_stored": self.is_stored,
            "removal_name": self.removal_name(name),
        }
        return context

    is_stored = False


class SecretFormField(forms.CharField):
    """Cleans to "" for "keep it", to None for "remove it"."""

    widget = SecretInput

    def to_python(self, value: Any) -> Any:
        return None if value is None else super().to_python(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return data is None or bool(data)


@dataclass(frozen=True)
class OutsideFacts:
    """What the form has to ask of parts of the site that it may not import."""

    account_was_accepted: Callable[[AuthenticationSettings], bool]
    lockout_fault: Callable[[AuthenticationSettings], str]


class SettingsForm(forms.ModelForm[AuthenticationSettings]):
    """All settings at once; the page and the command line share its rules."""

    smtp_password = SecretFormField(
        label=_("Password"), required=False, strip=False, max_length=500
    )
    netlogon_bind_password = SecretFormField(
        label=_("Service account password"),
        required=False,
        strip=False,
        max_length=500,
    )
    oauth2_client_secret = SecretFormField(
        label=_("Client secret"), required=False, strip=False, max_length=500
    )

    class Meta:
        model = AuthenticationSettings
        fields = FIELDS
        widgets = {"authentication_type": forms.RadioSelect}

    def __init__(self, *args: Any, outside: OutsideFacts, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outside = outside
        # The secrets that a change of their server took away.
        self.lost_secrets: list[str] = []
        self.stored = AuthenticationSettings(**model_to_dict(self.instance, FIELDS))
        for name in SECRETS:
            self.fields[name].widget.is_stored = bool(getattr(self.stored, name))
            self.initial[name] = ""
            model_field = AuthenticationSettings._meta.get_field(name)
            self.fields[name].help_text = model_field.help_text

    def clean_smtp_client_host_name(self) -> str:
        return self.cleaned_data["smtp_client_host_name"] or "127.0.0.1"

    def clean_oauth2_scope(self) -> str:
        scope: str = self.cleaned_data["oauth2_scope"]
        if "openid" not in scope.split():
            raise forms.ValidationError(_("Add openid: without it nobody is named."))
        return scope

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        self._split_port(cleaned)
        self._follow_security(cleaned)
        self._settle_secrets(cleaned)
        self._check_clear_text(cleaned)
        self._check_methods(cleaned)
        candidate = self.candidate()
        if not self.errors:
            self._check_two_factor(candidate)
        if not self.errors and self._login_changes(candidate):
            fault = self.outside.lockout_fault(candidate)
            if fault:
                self.add_error("authentication_type", fault)
        return cleaned

    def candidate(self) -> AuthenticationSettings:
        """Return the values on the screen as an unsaved row; faulty ones as stored."""
        values = {n: self.cleaned_data.get(n, getattr(self.stored, n)) for n in FIELDS}
        return AuthenticationSettings(pk=1, **values)

    def save(self, commit: bool = True) -> AuthenticationSettings:  # noqa: FBT001, FBT002
        saved = super().save(commit)
        current_settings.forget()
        return saved

    def changes(self) -> Iterator[tuple[str, str, str]]:
        """Yield (key, from, to) of each changed setting; secrets as words."""
        for name in FIELDS:
            old, new = getattr(self.stored, name), getattr(self.instance, name)
            if old == new:
                continue
            if name in SECRETS:
                yield name, _stored_word(old), "changed" if new else "removed"
            else:
                yield name, str(old), str(new)

    def _split_port(self, cleaned: dict[str, Any]) -> None:
        """`host:port` in the server's field sets the port as well."""
        server = cleaned.get("smtp_server")
        if server and "smtp_port" in cleaned:
            cleaned["smtp_server"], cleaned["smtp_port"] = split_port(
                server, default=cleaned["smtp_port"]
            )

    def _follow_security(self, cleaned: dict[str, Any]) -> None:
        """Another security takes its usual port along, unless one was chosen."""
        security = cleaned.get("smtp_security")
        usual = DEFAULT_PORTS[SmtpSecurity(self.stored.smtp_security)]
        untouched = cleaned.get("smtp_port") == self.stored.smtp_port == usual
        if security and security != self.stored.smtp_security and untouched:
            cleaned["smtp_port"] = DEFAULT_PORTS[SmtpSecurity(security)]

    def _settle_secrets(self, cleaned: dict[str, Any]) -> None:
        for name, bound_to in SECRETS.items():
            if cleaned.get(name):
                continue
            moved = any(
                cleaned.get(field) != getattr(self.stored, field) for field in bound_to
            )
            keep = not moved and cleaned.get(name) is not None
            stored = getattr(self.stored, name)
            if moved and stored:
                self.lost_secrets.append(name)
            cleaned[name] = stored if keep else ""

    def _check_clear_text(self, cleaned: dict[str, Any]) -> None:
        plain_mail = cleaned.get("smtp_security") == SmtpSecurity.NONE
        server = cleaned.get("smtp_server", "")
        if plain_mail and cleaned.get("smtp_password") and not is_loopback(server):
            self.add_error(
                "smtp_security",
                _(
                    "A password would travel unencrypted. Choose STARTTLS or TLS, or"
                    " remove the password."
                ),
            )
        plain_ldap = cleaned.get("netlogon_security") == NetlogonSecurity.NONE
        servers = cleaned.get("netlogon_servers", "").split(",")
        local = all(is_loopback(split_port(s.strip(), 389)[0]) for s in servers)
        if plain_ldap and not local:
            self.add_error(
                "netlogon_security",
                _(
                    "Windows passwords would travel unencrypted. Choose TLS or"
                    " STARTTLS; none is for controllers on this machine alone."
                ),
            )

    def _check_methods(self, cleaned: dict[str, Any]) -> None:
        if "authentication_type" not in cleaned:
            return
        candidate = self.candidate()
        if uses(candidate, Method.OAUTH2):
            self._require(
                "oauth2_provider_name", "oauth2_well_known_url", "oauth2_client_id"
            )
        if uses(candidate, Method.NETLOGON):
            self._require("netlogon_domain")

    def _require(self, *names: str) -> None:
        for name in names:
            if name in self.cleaned_data and not self.cleaned_data[name]:
                self.add_error(
                    name, _("Needed by the authentication type that you chose.")
                )

    def _check_two_factor(self, candidate: AuthenticationSettings) -> None:
        if not candidate.two_factor:
            return
        for name in ("smtp_server", "smtp_email_address", "verification_link"):
            if not getattr(candidate, name):
                self.add_error(name, _("Needed by two-factor authentication."))
        unchanged = self.stored.two_factor and not any(
            getattr(candidate, n) != getattr(self.stored, n) for n in ACCOUNT_FIELDS
        )
        if self.errors or unchanged or self.outside.account_was_accepted(candidate):
            return
        self.add_error(
            "two_factor",
            _(
                "The server has not yet accepted a test e-mail with this account."
                " Press “Send test” first: without e-mail nobody could log in."
            ),
        )

    def _login_changes(self, candidate: AuthenticationSettings) -> bool:
        return any(
            getattr(candidate, name) != getattr(self.stored, name)
            for name in ("authentication_type", "two_factor")
        )


def _stored_word(secret: str) -> str:
    return "set" if secret else "not set"
