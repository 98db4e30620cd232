"""The form of the e-mail account, which the form of all rules extends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.forms.models import model_to_dict
from django.utils.translation import gettext_lazy as _

from authconfig.choices import SmtpLogin, SmtpSecurity
from authconfig.fields import SecretFormField, SecretLinesInput
from authconfig.models import MODEL_FIELDS, AuthenticationSettings
from authconfig.sections import ENDPOINTS, FIELDS, SECRETS, SECTIONS
from authconfig.smtp_login.checks import oauth2_faults
from authconfig.smtp_login.filling import chosen, fill
from authconfig.smtp_login.modes import EVERY_FIELD, shown_fields
from authconfig.validators import is_loopback, split_port

if TYPE_CHECKING:
    RulesModelForm = forms.ModelForm[AuthenticationSettings]
else:
    RulesModelForm = forms.ModelForm

EMAIL_FIELDS = next(s.all_fields for s in SECTIONS if s.key == "email")
MAIL_FIELDS = tuple(name for name in EMAIL_FIELDS if name.startswith("smtp_"))
# These do not decide whether the server accepts a mail.
NO_MATTER_OF_THE_ACCOUNT = (
    "smtp_sender_name",
    "smtp_connections",
    "smtp_mails_per_connection",
    "smtp_oauth2_client_secret_expires",
)
ACCOUNT_FIELDS = tuple(
    name for name in MAIL_FIELDS if name not in NO_MATTER_OF_THE_ACCOUNT
)
# These fields, left empty, get the value of a fresh site.
DEFAULTED_FIELDS = (
    "password_min_length",
    "forgotten_password_minutes",
    "invitation_hours",
    "smtp_client_host_name",
    "smtp_connections",
    "smtp_mails_per_connection",
    "voicemail_oversized",
    "smtp_login",
    "smtp_oauth2_grant",
    "smtp_oauth2_client_auth",
    "smtp_oauth2_algorithm",
    "netlogon_user_filter",
    "netlogon_max_failures",
    "directory_sync_filter",
    "directory_sync_attributes",
    "directory_sync_minutes",
    "directory_sync_most_removals_percent",
    "oauth2_scope",
    "oauth2_upn_claim",
)
CERTIFICATE_FIELDS = (
    *("smtp_ca_certificate", "smtp_oauth2_certificate"),
    "netlogon_ca_certificate",
)
DEFAULT_PORTS = {
    SmtpSecurity.STARTTLS: 587,
    SmtpSecurity.TLS: 465,
    SmtpSecurity.NONE: 25,
}


class RulesForm(RulesModelForm):
    """What a form of some of the rules knows; `rules` is what is stored."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Secrets that are cleared because their server changed.
        self.lost_secrets: list[str] = []
        self._entered: dict[str, Any] = {}
        self.rules = AuthenticationSettings(**model_to_dict(self.instance, FIELDS))
        for name in CERTIFICATE_FIELDS:
            setattr(self.rules, name, _plain_lines(getattr(self.rules, name)))
        for name, field in self.fields.items():
            self._prepare(name, field)

    def _prepare(self, name: str, field: forms.Field) -> None:
        # Django runs the model's validators after clean(), which is too late. Ours
        # come first, for they have a remedy.
        known, own = field.validators, MODEL_FIELDS[name].validators
        field.validators = [*(v for v in own if v not in known), *known]
        if isinstance(field, forms.CharField):
            field.widget.attrs.setdefault("autocomplete", "off")
        if name in (*DEFAULTED_FIELDS, "smtp_port"):
            field.required = False
        if name in SECRETS:
            field.widget.attrs["autocomplete"] = "new-password"
            field.widget.is_stored = bool(getattr(self.rules, name))
            field.help_text = MODEL_FIELDS[name].help_text
            self.initial[name] = ""

    def add_error(self, field: str | None, error: Any) -> None:
        """Tell a field's first fault alone: a second one may contradict it.

        What a constraint says beside a field's fault follows from it.
        """
        if self.errors and hasattr(error, "error_dict"):
            error.error_dict.pop(NON_FIELD_ERRORS, None)
        super().add_error(field, error)
        for name, faults in self.errors.items():
            if name != NON_FIELD_ERRORS:
                del faults[1:]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        self._fill_defaults(cleaned)
        self.settle(cleaned)
        self._settle_secrets(cleaned)
        # Django removes a value from `cleaned` once a check finds it wrong.
        self._entered = dict(cleaned)
        return cleaned

    def settle(self, cleaned: dict[str, Any]) -> None:
        """Fill in what follows from other fields, before anything is judged."""

    def new_rules(self) -> AuthenticationSettings:
        """Return the values on the screen as an unsaved row.

        A field whose value is invalid keeps the stored one.
        """
        values = {n: self._entered.get(n, getattr(self.rules, n)) for n in FIELDS}
        return AuthenticationSettings(pk=1, **values)

    @property
    def faults(self) -> dict[str, list[str]]:
        return {name: [str(e) for e in errors] for name, errors in self.errors.items()}

    def _fill_defaults(self, cleaned: dict[str, Any]) -> None:
        for name in DEFAULTED_FIELDS:
            if cleaned.get(name, name) in ("", None):
                cleaned[name] = MODEL_FIELDS[name].default
        for name in CERTIFICATE_FIELDS:
            if name in cleaned:
                # Browsers send CR LF; it would look like a change and clear a password.
                cleaned[name] = _plain_lines(cleaned[name])

    def _settle_secrets(self, cleaned: dict[str, Any]) -> None:
        for name, bound_to in SECRETS.items():
            if cleaned.get(name) or name not in self.fields:
                continue
            moved = any(
                _bound(field, cleaned.get(field))
                != _bound(field, getattr(self.rules, field))
                for field in bound_to
            )
            keep = not moved and cleaned.get(name) is not None
            stored = getattr(self.rules, name)
            if moved and stored and cleaned.get(name) is not None:
                self.lost_secrets.append(name)
            cleaned[name] = stored if keep else ""


class MailAccountForm(RulesForm):
    """The fields of the e-mail account, and their checks."""

    smtp_password = SecretFormField(
        label=_("Password"), required=False, strip=False, max_length=500
    )
    smtp_oauth2_client_secret = SecretFormField(
        label=_("Client secret"), required=False, strip=False, max_length=500
    )
    smtp_oauth2_resource_owner_password = SecretFormField(
        label=_("Resource owner's password"),
        required=False,
        strip=False,
        max_length=500,
    )
    smtp_oauth2_private_key = SecretFormField(
        label=_("Private key"),
        required=False,
        max_length=10_000,
        widget=SecretLinesInput({"rows": 4, "spellcheck": "false"}),
    )

    class Meta:
        model = AuthenticationSettings
        fields = MAIL_FIELDS

    def settle(self, cleaned: dict[str, Any]) -> None:
        self._leave_unused(cleaned)
        if _is_by_oauth2(cleaned):
            fill(cleaned, self.rules)
        if cleaned.get("smtp_port", 0) is None and "smtp_security" in cleaned:
            cleaned["smtp_port"] = DEFAULT_PORTS[SmtpSecurity(cleaned["smtp_security"])]
        self._split_port(cleaned)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if _is_by_oauth2(cleaned):
            for fault in list(oauth2_faults(cleaned)):
                self.add_error(*fault)
            self._check_left_mailbox(cleaned)
        else:
            self._check_clear_text(cleaned)
            self._check_left_mailbox(cleaned)
            self._check_password(cleaned)
        return cleaned

    def _leave_unused(self, cleaned: dict[str, Any]) -> None:
        """What the chosen login does not show stays as it is stored, right or wrong."""
        for name in [name for name in self.errors if name in EVERY_FIELD]:
            if name not in shown_fields(*chosen(cleaned)):
                del self.errors[name]
                cleaned[name] = "" if name in SECRETS else getattr(self.rules, name)

    def _split_port(self, cleaned: dict[str, Any]) -> None:
        server = cleaned.get("smtp_server")
        if server and "smtp_port" in cleaned:
            cleaned["smtp_server"], cleaned["smtp_port"] = split_port(
                server, default=cleaned["smtp_port"]
            )

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

    def _check_left_mailbox(self, cleaned: dict[str, Any]) -> None:
        """The port and the lack of security were those of a server on this machine."""
        same = ("smtp_port", "smtp_security")
        server, port = cleaned.get("smtp_server", ""), cleaned.get("smtp_port")
        if (
            leaves_machine(self.rules, server)
            and all(cleaned.get(name) == getattr(self.rules, name) for name in same)
            and port not in DEFAULT_PORTS.values()
        ):
            text = _(
                "This and the port are those of the mail server on this machine. Choose"
                " STARTTLS and empty the port, or enter the port of the new server."
            )
            self.add_error("smtp_security", text)

    def _check_password(self, cleaned: dict[str, Any]) -> None:
        """A login with an empty password counts as a wrong one at many servers."""
        has_password = cleaned.get("smtp_password") or "smtp_password" in self.errors
        if cleaned.get("smtp_username") and not has_password:
            text = _("Enter the password again, or empty the user name.")
            self.add_error("smtp_password", text)


def _is_by_oauth2(cleaned: dict[str, Any]) -> bool:
    login = cleaned.get("smtp_login", SmtpLogin.PASSWORD)
    return SmtpLogin(login) is not SmtpLogin.PASSWORD


def leaves_machine(rules: AuthenticationSettings, server: str) -> bool:
    """Was the mail server here, unencrypted, and is it now somewhere else?"""
    was_here = (
        is_loopback(rules.smtp_server) and rules.smtp_security == SmtpSecurity.NONE
    )
    return was_here and bool(server) and not is_loopback(server)


def _plain_lines(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _bound(name: str, value: Any) -> Any:
    """Return what a secret is bound to: of an endpoint its host."""
    return urlsplit(value)[:2] if name in ENDPOINTS and value else value
