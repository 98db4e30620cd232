"""The part of the settings form that is about the e-mail account."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from authconfig.choices import JwtAlgorithm, OAuth2Grant, SmtpLogin, SmtpSecurity
from authconfig.fields import SecretFormField, SecretLinesInput
from authconfig.models import AuthenticationSettings
from authconfig.sections import SECRETS
from authconfig.smtp_login import filling
from authconfig.smtp_login.modes import (
    EVERY_FIELD,
    MODES,
    required_fields,
    shown_fields,
)
from authconfig.smtp_login.private_keys import check_certificate, check_private_key
from authconfig.validators import is_loopback, split_port

DEFAULT_PORTS = {
    SmtpSecurity.STARTTLS: 587,
    SmtpSecurity.TLS: 465,
    SmtpSecurity.NONE: 25,
}
# Entra ID's names for “whichever tenant somebody is of”.
MANY_TENANTS = ("common", "organizations", "consumers")
OWN_TENANT = _("Enter your own tenant: without a user there is no other to be found.")
NEEDED_BY_LOGIN = _("Enter it: the login that you chose needs it.")
NEEDED = {
    "smtp_server": _("Enter the SMTP server: the login that you chose needs it."),
    "smtp_username": _("Enter the mailbox that the e-mails are sent from."),
}


class MailAccountPart(forms.Form):
    """Mixed into the form of all rules; `rules` is what is stored."""

    rules: AuthenticationSettings
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

    def settle_account(self, cleaned: dict[str, Any]) -> None:
        """Fill in what follows from other fields, before anything is judged."""
        self._leave_unused(cleaned)
        filling.fill(cleaned, self.rules)
        if cleaned.get("smtp_port", 0) is None and "smtp_security" in cleaned:
            cleaned["smtp_port"] = DEFAULT_PORTS[SmtpSecurity(cleaned["smtp_security"])]
        self._split_port(cleaned)

    def check_account(self, cleaned: dict[str, Any]) -> None:
        login, grant = filling.chosen(cleaned)
        if login is SmtpLogin.PASSWORD:
            self._check_clear_text(cleaned)
            self._check_left_mailbox(cleaned)
            self._check_password(cleaned)
        else:
            self._check_encryption(cleaned)
            self._check_left_mailbox(cleaned)
            self._check_oauth2(cleaned, login, grant)

    def _leave_unused(self, cleaned: dict[str, Any]) -> None:
        """What the chosen login does not show stays as it is stored, right or wrong."""
        shown = shown_fields(*filling.chosen(cleaned))
        for name in EVERY_FIELD:
            if name in self.errors and name not in shown:
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

    def _check_encryption(self, cleaned: dict[str, Any]) -> None:
        """RFC 7628, 4: a token is as good as a password to whoever reads it."""
        if cleaned.get("smtp_security") == SmtpSecurity.NONE:
            text = _("The token would travel unencrypted. Choose STARTTLS or TLS.")
            self.add_error("smtp_security", text)

    def _check_oauth2(
        self, cleaned: dict[str, Any], login: SmtpLogin, grant: OAuth2Grant
    ) -> None:
        for name in ("smtp_server", "smtp_username", *required_fields(login, grant)):
            if name in cleaned and not cleaned[name]:
                self.add_error(name, NEEDED.get(name, NEEDED_BY_LOGIN))
        is_own = grant not in (OAuth2Grant.AUTHORIZATION_CODE, OAuth2Grant.JWT_BEARER)
        if is_own and cleaned.get("smtp_oauth2_tenant", "").lower() in MANY_TENANTS:
            self.add_error("smtp_oauth2_tenant", OWN_TENANT)
        if "smtp_oauth2_private_key" in shown_fields(login, grant):
            self._check_key(cleaned, is_free=MODES[login].provider is None)

    def _check_key(self, cleaned: dict[str, Any], *, is_free: bool) -> None:
        """Google signs by RS256 alone, and asks for no certificate."""
        key = cleaned.get("smtp_oauth2_private_key")
        chosen = cleaned.get("smtp_oauth2_algorithm") if is_free else None
        certificate = cleaned.get("smtp_oauth2_certificate") if is_free else None
        if not key:
            return
        try:
            check_private_key(key, JwtAlgorithm(chosen or JwtAlgorithm.RS256))
        except forms.ValidationError as error:
            self.add_error("smtp_oauth2_private_key", error)
            return
        try:
            if certificate:
                check_certificate(certificate, key)
        except forms.ValidationError as error:
            self.add_error("smtp_oauth2_certificate", error)


def leaves_machine(rules: AuthenticationSettings, server: str) -> bool:
    """Was the mail server here, unencrypted, and is it now somewhere else?"""
    was_here = (
        is_loopback(rules.smtp_server) and rules.smtp_security == SmtpSecurity.NONE
    )
    return was_here and bool(server) and not is_loopback(server)
