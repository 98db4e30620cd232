"""The e-mail account of the settings, and which accounts a server has accepted."""

from __future__ import annotations

from django.utils.crypto import salted_hmac

from authconfig.choices import SmtpSecurity
from authconfig.models import AuthenticationSettings
from verification.mail.choices import TrialState
from verification.mail.models import AccountTrial
from verification.mail.smtp import Account

FIELDS = (
    *("server", "port", "client_host_name", "sender_name", "email_address"),
    *("username", "password", "ca_certificate"),
)


def account_of(settings: AuthenticationSettings) -> Account:
    return _account(settings, "smtp_")


def account_of_trial(test: AccountTrial) -> Account:
    return _account(test, "")


def _account(row: AuthenticationSettings | AccountTrial, prefix: str) -> Account:
    values = {name: getattr(row, prefix + name) for name in FIELDS}
    values["client_host_name"] = values["client_host_name"] or "127.0.0.1"
    security = SmtpSecurity(getattr(row, f"{prefix}security"))
    return Account(security=security, **values)


def fingerprint(account: Account) -> str:
    """Return a keyed digest of everything that decides whether the server accepts."""
    values = (
        account.server,
        account.port,
        account.security.value,
        account.client_host_name,
        account.email_address,
        account.username,
        account.password,
        account.ca_certificate,
    )
    # The salt is part of every fingerprint that is stored: it stays as it is.
    keyed = salted_hmac("verification.accounts", repr(values), algorithm="sha256")
    return keyed.hexdigest()


def was_accepted(account: Account) -> bool:
    """Has the server accepted a test e-mail with exactly this account?"""
    return AccountTrial.objects.filter(
        fingerprint=fingerprint(account), state=TrialState.ACCEPTED
    ).exists()
