"""From a row to the e-mail itself; the only module that renders mail templates."""

from __future__ import annotations

from collections.abc import Callable
from email.headerregistry import Address, AddressHeader, HeaderRegistry
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation

from authconfig.models import current_settings
from verification.choices import MailKind
from verification.models import AccountTest, OutgoingEmail
from verification.smtp import Account
from verification.smtp.addresses import wire_host
from verification.tokens import link_token

# A template's name, and what it shows.
Rendered = tuple[str, dict[str, Any]]


def message_of(mail: OutgoingEmail, account: Account) -> EmailMessage:
    template, context = CONTEXTS[MailKind(mail.kind)](mail)
    return _message(
        template,
        context,
        account=account,
        recipient=mail.recipient,
        language=mail.language,
        public_id=mail.public_id,
    )


def _approval(mail: OutgoingEmail) -> Rendered:
    """A verification e-mail; its link is signed here and stored nowhere."""
    login = mail.login
    assert login
    query = urlencode({"id": link_token(login)})
    link = f"{current_settings().verification_link}?{query}"
    return "approval", {"login": login, "link": link}


def _rejection(mail: OutgoingEmail) -> Rendered:
    login = mail.login
    assert login
    page = reverse("admin:authconfig_pbxuser_change", args=[login.user_id])
    link = f"{settings.SITE_URL}{page}"
    return "rejection", {"login": login, "link": link}


def _password(mail: OutgoingEmail) -> Rendered:
    link = f"{settings.SITE_URL}{reverse('verification:account')}"
    return "password", {"user": mail.user, "at": mail.created_at, "link": link}


CONTEXTS: dict[MailKind, Callable[[OutgoingEmail], Rendered]] = {
    MailKind.APPROVAL: _approval,
    MailKind.REJECTION: _rejection,
    MailKind.PASSWORD: _password,
}


def test_message(test: AccountTest, account: Account) -> EmailMessage:
    return _message(
        "test",
        {"sent_at": timezone.now(), "account_server": account.server},
        account=account,
        recipient=test.recipient,
        language=test.language,
        public_id=test.public_id,
    )


def _message(
    template: str,
    context: dict[str, Any],
    *,
    account: Account,
    recipient: str,
    language: str,
    public_id: UUID,
) -> EmailMessage:
    context |= {"site_name": settings.SITE_NAME, "contact_line": settings.CONTACT_LINE}
    with translation.override(language):
        subject, text, html = (
            render_to_string(f"verification/mail/{template}_{part}", context)
            for part in ("subject.txt", "body.txt", "body.html")
        )
    message = EmailMessage()
    message["Subject"] = " ".join(subject.split())
    message["From"] = _sender(account)
    message["To"] = recipient
    message["Date"] = format_datetime(timezone.now())
    # Stable for the row, so that a second try is known as the same mail.
    domain = account.email_address.rpartition("@")[2]
    message["Message-ID"] = f"<{public_id}@{wire_host(domain)}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834
    message.set_content(text.strip() + "\n")
    message.add_alternative(html, subtype="html")
    # Last, or the library would make it a header of the first part alone.
    message["Content-Language"] = language
    return message


def _sender(account: Account) -> Address:
    # Not by `addr_spec`: it takes no letters beyond ASCII before the @.
    header = HeaderRegistry()("From", account.email_address)
    assert isinstance(header, AddressHeader)
    [address] = header.addresses
    return Address(account.sender_name, address.username, address.domain)
