"""The part of the settings form that is about the e-mail account."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from authconfig.choices import SmtpSecurity
from authconfig.fields import SecretFormField
from authconfig.models import AuthenticationSettings
from authconfig.validators import is_loopback, split_port

DEFAULT_PORTS = {
    SmtpSecurity.STARTTLS: 587,
    SmtpSecurity.TLS: 465,
    SmtpSecurity.NONE: 25,
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
        label=_("Private key"), required=False, max_length=10_000
    )

    def settle_account(self, cleaned: dict[str, Any]) -> None:
        """Fill in what follows from other fields, before anything is judged."""
        if cleaned.get("smtp_port", 0) is None and "smtp_security" in cleaned:
            cleaned["smtp_port"] = DEFAULT_PORTS[SmtpSecurity(cleaned["smtp_security"])]
        self._split_port(cleaned)

    def check_account(self, cleaned: dict[str, Any]) -> None:
        self._check_clear_text(cleaned)
        self._check_left_mailbox(cleaned)
        self._check_mail_login(cleaned)

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

    def _check_mail_login(self, cleaned: dict[str, Any]) -> None:
        """A login with an empty password counts as a wrong one at many servers."""
        has_password = cleaned.get("smtp_password") or "smtp_password" in self.errors
        if cleaned.get("smtp_username") and not has_password:
            text = _("Enter the password again, or empty the user name.")
            self.add_error("smtp_password", text)


def leaves_machine(rules: AuthenticationSettings, server: str) -> bool:
    """Was the mail server here, unencrypted, and is it now somewhere else?"""
    was_here = (
        is_loopback(rules.smtp_server) and rules.smtp_security == SmtpSecurity.NONE
    )
    return was_here and bool(server) and not is_loopback(server)
