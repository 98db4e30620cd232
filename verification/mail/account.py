"""An e-mail account: the settings' own, or one that is tried."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import Model
from django.utils.crypto import salted_hmac

from authconfig.choices import SmtpSecurity

FIELDS = (
    *("server", "port", "client_host_name", "sender_name", "email_address"),
    *("username", "password", "ca_certificate"),
)


@dataclass(frozen=True)
class Account:
    server: str
    port: int
    security: SmtpSecurity
    client_host_name: str = "127.0.0.1"
    sender_name: str = ""
    email_address: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    ca_certificate: str = ""
    connect_timeout: float = 10
    reply_timeout: float = 30
    # For the body, and once more for the reply to it. RFC 5321 would wait ten
    # minutes, longer than most logins last.
    data_timeout: float = 120


def account_of(rules: Model) -> Account:
    """Return the account of the settings row."""
    return account_from(rules, "smtp_")


def account_from(row: Model, prefix: str = "") -> Account:
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
    # Stored fingerprints were made with this salt, so it stays as it is.
    keyed = salted_hmac("verification.accounts", repr(values), algorithm="sha256")
    return keyed.hexdigest()
