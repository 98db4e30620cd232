"""The e-mail account of the settings, and which accounts a server has accepted."""

from __future__ import annotations

from django.utils.crypto import salted_hmac

from authconfig.choices import SmtpSecurity
from authconfig.models import AuthenticationSettings
from verification.choices import AccountTestState
from verification.models import AccountTest
from verification.smtp import Account


def account_of(settings: AuthenticationSettings) -> Account:
    return Account(
        server=settings.smtp_server,
        port=settings.smtp_port,
        security=SmtpSecurity(settings.smtp_security),
        client_host_name=settings.smtp_client_host_name or "127.0.0.1",
        sender_name=settings.smtp_sender_name,
        email_address=settings.smtp_email_address,
        username=settings.smtp_username,
        password=settings.smtp_password,
        ca_certificate=settings.smtp_ca_certificate,
    )


def account_of_test(test: AccountTest) -> Account:
    return Account(
        server=test.server,
        port=test.port,
        security=SmtpSecurity(test.security),
        client_host_name=test.client_host_name or "127.0.0.1",
        sender_name=test.sender_name,
        email_address=test.email_address,
        username=test.username,
        password=test.password,
        ca_certificate=test.ca_certificate,
    )


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
    return AccountTest.objects.filter(
        fingerprint=fingerprint(account), state=AccountTestState.ACCEPTED
    ).exists()
