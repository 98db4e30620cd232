"""The form of all rules, with the checks across fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from django import forms
from django.db import transaction
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
from authconfig.sections import FIELDS, SECRETS
from authconfig.settings_fields.alarms import COMMAND, validate_webhook_secret
from authconfig.settings_fields.synchronisation import missing_for_sync
from authconfig.smtp_login.account_form import (
    ACCOUNT_FIELDS,
    CERTIFICATE_FIELDS,
    MailAccountForm,
)
from authconfig.users import kept_passwords
from authconfig.users.settings_history import text_of
from authconfig.validators import is_loopback, split_port

PEM_START = "-----BEGIN CERTIFICATE-----"
PEM_ATTRIBUTES = {"rows": 4, "spellcheck": "false", "placeholder": PEM_START}
SWITCHES = (
    *("two_factor", "factor_required", "password_changes_forbidden"),
    *("forgotten_password", "forgotten_password_same_mailbox", "directory_sync"),
    *("myapps_digest_logins", "myapps_approve_by_comparing"),
    "smtp_oauth2_shared_mailbox",
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


class SettingsForm(MailAccountForm):
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
        self.lockout: Lockout | None = None

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
        cleaned = super().clean()
        self._check_windows_passwords(cleaned)
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
        """Return the fields that differ on the screen, faulty ones among them."""
        new_rules = self.new_rules()
        return [
            name
            for name in FIELDS
            if getattr(self.rules, name) != getattr(new_rules, name)
            or self._is_faulty_change(name)
        ]

    def _is_faulty_change(self, name: str) -> bool:
        """A fault takes a value out of the cleaned ones: what was entered stays."""
        is_out = name in self.errors and name not in self.cleaned_data
        return is_out and name in self.changed_data

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
            self.add_error(
                secret,
                _(
                    "Enter the secret that signs the webhook. This makes one:"
                    " %(command)s"
                )
                % {"command": COMMAND},
            )

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


def _are_loopback(servers: str) -> bool:
    hosts = (split_port(server.strip(), 389)[0] for server in servers.split(","))
    return all(is_loopback(host) for host in hosts)


def _stored_word(secret: str) -> str:
    return "set" if secret else "not set"
