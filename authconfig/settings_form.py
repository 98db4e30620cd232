"""The form of all rules, with the checks across fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.db import transaction
from django.forms.models import model_to_dict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from authconfig.choices import Method, NetlogonSecurity
from authconfig.directory import service_account
from authconfig.fields import SecretFormField
from authconfig.lockout import Lockout
from authconfig.models import AuthenticationSettings, current_rules
from authconfig.oauth2.discovery import is_for_many_tenants
from authconfig.oauth2.faults import ProviderFault
from authconfig.oauth2.remedies import REMEDIES
from authconfig.policy import offers_digest, uses
from authconfig.sections import ENDPOINTS, FIELDS, SECRETS, SECTIONS
from authconfig.settings_fields.alarms import validate_webhook_secret
from authconfig.settings_fields.synchronisation import missing_for_sync
from authconfig.smtp_login.form import MailAccountPart
from authconfig.users import kept_passwords
from authconfig.users.settings_history import text_of
from authconfig.validators import is_loopback, split_port

if TYPE_CHECKING:
    SettingsModelForm = forms.ModelForm[AuthenticationSettings]
else:
    SettingsModelForm = forms.ModelForm

EMAIL_FIELDS = next(s.all_fields for s in SECTIONS if s.key == "email")
PEM_START = "-----BEGIN CERTIFICATE-----"
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
PEM_ATTRIBUTES = {"rows": 4, "spellcheck": "false", "placeholder": PEM_START}
MODEL_FIELDS = {field.name: field for field in AuthenticationSettings._meta.fields}
SWITCHES = (
    *("two_factor", "factor_required", "password_changes_forbidden"),
    *("forgotten_password", "forgotten_password_same_mailbox", "directory_sync"),
    *("myapps_digest_logins", "myapps_approve_by_comparing"),
    "smtp_oauth2_shared_mailbox",
)
CERTIFICATE_FIELDS = (
    *("smtp_ca_certificate", "smtp_oauth2_certificate"),
    "netlogon_ca_certificate",
)
DATE = forms.DateInput({"type": "date"}, format="%Y-%m-%d")


@dataclass(frozen=True)
class OutsideFacts:
    """Answers that the form needs from packages that it may not import."""

    account_was_accepted: Callable[[AuthenticationSettings], bool]
    lockout: Callable[[AuthenticationSettings, AuthenticationSettings], Lockout | None]


NOTHING_OUTSIDE = OutsideFacts(
    account_was_accepted=lambda _rules: False, lockout=lambda _rules, _new_rules: None
)


class SettingsForm(MailAccountPart, SettingsModelForm):
    """The page and the command line share this form and its checks."""

    netlogon_bind_password = SecretFormField(
        label=_("Service account password"),
        required=False,
        strip=False,
        max_length=500,
    )
    oauth2_client_secret = SecretFormField(
        label=_("Client secret"), required=False, strip=False, max_length=500
    )
    alarm_webhook_secret = SecretFormField(
        label=_("Webhook secret"),
        required=False,
        validators=[validate_webhook_secret],
    )

    class Meta:
        model = AuthenticationSettings
        fields = FIELDS
        widgets = {
            "authentication_type": forms.RadioSelect,
            "directory_sync_attributes": forms.Textarea(
                {"rows": 4, "spellcheck": "false"}
            ),
            **{name: forms.CheckboxInput({"role": "switch"}) for name in SWITCHES},
            **{name: forms.Textarea(PEM_ATTRIBUTES) for name in CERTIFICATE_FIELDS},
            "smtp_oauth2_client_secret_expires": DATE,
        }

    def __init__(self, *args: Any, outside: OutsideFacts, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outside = outside
        # Secrets that are cleared because their server changed.
        self.lost_secrets: list[str] = []
        self.lockout: Lockout | None = None
        self._entered: dict[str, Any] = {}
        self.rules = AuthenticationSettings(**model_to_dict(self.instance, FIELDS))
        for name, field in self.fields.items():
            # Django runs the model's validators after clean(), which is too late. Ours
            # come first, for they have a remedy.
            known, own = field.validators, MODEL_FIELDS[name].validators
            field.validators = [*(v for v in own if v not in known), *known]
            if isinstance(field, forms.CharField):
                field.widget.attrs.setdefault("autocomplete", "off")
        for name in (*DEFAULTED_FIELDS, "smtp_port"):
            self.fields[name].required = False
        for name in CERTIFICATE_FIELDS:
            setattr(self.rules, name, _plain_lines(getattr(self.rules, name)))
        for name in SECRETS:
            self.fields[name].widget.attrs["autocomplete"] = "new-password"
            self.fields[name].widget.is_stored = bool(getattr(self.rules, name))
            self.initial[name] = ""
            self.fields[name].help_text = MODEL_FIELDS[name].help_text

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

    def clean_oauth2_well_known_url(self) -> str:
        url: str = self.cleaned_data["oauth2_well_known_url"]
        if is_for_many_tenants(url):
            raise forms.ValidationError(str(REMEDIES[ProviderFault.MANY_TENANTS]))
        return url

    def clean_oauth2_scope(self) -> str:
        scope: str = self.cleaned_data["oauth2_scope"]
        if scope and "openid" not in scope.split():
            raise forms.ValidationError(_("Add openid: without it nobody is named."))
        return scope

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        self._fill_defaults(cleaned)
        self.settle_account(cleaned)
        self._settle_secrets(cleaned)
        # Django removes a value from `cleaned` once a check below finds it wrong.
        self._entered = dict(cleaned)
        self._check_windows_passwords(cleaned)
        self.check_account(cleaned)
        self._check_webhook(cleaned)
        self.check_together(self.new_rules())
        return cleaned

    def check_together(self, new_rules: AuthenticationSettings) -> None:
        self._check_methods(new_rules)
        self._check_two_factor(new_rules)
        for fault in missing_for_sync(new_rules):
            self.add_error(*fault)
        if not self.errors:
            self.lockout = self.outside.lockout(self.rules, new_rules)
            if self.lockout:
                self.add_error(*self.lockout)

    def new_rules(self) -> AuthenticationSettings:
        """Return the values on the screen as an unsaved row.

        A field whose value is invalid keeps the stored one.
        """
        values = {n: self._entered.get(n, getattr(self.rules, n)) for n in FIELDS}
        return AuthenticationSettings(pk=1, **values)

    @property
    def faults(self) -> dict[str, list[str]]:
        return {name: [str(e) for e in errors] for name, errors in self.errors.items()}

    def save(self, commit: bool = True) -> AuthenticationSettings:  # noqa: FBT001, FBT002
        saved = super().save(commit)
        current_rules.forget()
        # Until the commit another thread may read the older row once more.
        transaction.on_commit(current_rules.forget)
        # Whoever saves may have mended the account in the directory alone.
        transaction.on_commit(partial(service_account.ask_again, saved))
        if not offers_digest(saved):
            kept_passwords.forget_all()
            # A login may keep one until it hears of this.
            transaction.on_commit(kept_passwords.forget_all)
        return saved

    def changed_keys(self) -> list[str]:
        """Return the fields that the screen would change, invalid ones left out."""
        new_rules = self.new_rules()
        return [
            name
            for name in FIELDS
            if getattr(self.rules, name) != getattr(new_rules, name)
        ]

    def changes(self) -> Iterator[tuple[str, str, str]]:
        """Yield (key, from, to) of each changed field; secrets appear as words."""
        for name in FIELDS:
            old, new = getattr(self.rules, name), getattr(self.instance, name)
            if old == new:
                continue
            if name in SECRETS:
                yield name, _stored_word(old), "changed" if new else "removed"
            else:
                yield name, text_of(self.rules, name), text_of(self.instance, name)

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

    def _check_windows_passwords(self, cleaned: dict[str, Any]) -> None:
        plain_ldap = cleaned.get("netlogon_security") == NetlogonSecurity.NONE
        servers = cleaned.get("netlogon_servers")
        if plain_ldap and servers is not None and not _are_loopback(servers):
            self.add_error(
                "netlogon_security",
                _(
                    "Windows passwords would travel unencrypted. Choose TLS or"
                    " STARTTLS; none is for controllers on this machine alone."
                ),
            )

    def _check_webhook(self, cleaned: dict[str, Any]) -> None:
        """Whoever gets an alarm has to be able to tell that it is this site's."""
        url, secret = cleaned.get("alarm_webhook_url"), "alarm_webhook_secret"
        if url and not cleaned.get(secret) and secret not in self.errors:
            self.add_error(secret, _("Enter the secret that signs the webhook."))

    def _check_methods(self, new_rules: AuthenticationSettings) -> None:
        fault = _("Needed by the authentication type that you chose.")
        if uses(new_rules, Method.OAUTH2):
            self._require(
                "oauth2_provider_name",
                "oauth2_well_known_url",
                "oauth2_client_id",
                fault=fault,
            )
        if uses(new_rules, Method.NETLOGON):
            self._require("netlogon_domain", fault=fault)

    def _require(self, *names: str, fault: str | Promise) -> None:
        for name in names:
            if name in self.cleaned_data and not self.cleaned_data[name]:
                self.add_error(name, str(fault))

    def _check_two_factor(self, new_rules: AuthenticationSettings) -> None:
        if not new_rules.two_factor:
            self._check_factor(new_rules)
            return
        self._require(
            "smtp_server",
            "smtp_email_address",
            "verification_link",
            fault=_("Needed by two-factor authentication."),
        )
        if self.errors or self._account_is_in_use(new_rules):
            return
        if not self.outside.account_was_accepted(new_rules):
            self.add_error(
                "two_factor",
                _(
                    "The server has not yet accepted a test e-mail with this account."
                    " Press “Send test” first: without e-mail nobody could log in."
                ),
            )

    def _check_factor(self, new_rules: AuthenticationSettings) -> None:
        """Users set up their first factor in a login that was approved."""
        if new_rules.factor_required and "factor_required" in self.cleaned_data:
            self.add_error(
                "factor_required",
                _(
                    "Needs two-factor authentication: without it, whoever knows a"
                    " password could set a passkey up for its owner."
                ),
            )

    def _account_is_in_use(self, new_rules: AuthenticationSettings) -> bool:
        return self.rules.two_factor and not any(
            getattr(new_rules, name) != getattr(self.rules, name)
            for name in ACCOUNT_FIELDS
        )


class MailAccountForm(SettingsForm):
    """The fields of the e-mail account alone, for a trial of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, outside=NOTHING_OUTSIDE, **kwargs)
        for name in FIELDS:
            if name not in MAIL_FIELDS:
                del self.fields[name]

    def check_together(self, new_rules: AuthenticationSettings) -> None:
        pass


def _plain_lines(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _bound(name: str, value: Any) -> Any:
    """Return what a secret is bound to: of an endpoint its host."""
    return urlsplit(value)[:2] if name in ENDPOINTS and value else value


def _are_loopback(servers: str) -> bool:
    hosts = (split_port(server.strip(), 389)[0] for server in servers.split(","))
    return all(is_loopback(host) for host in hosts)


def _stored_word(secret: str) -> str:
    return "set" if secret else "not set"
