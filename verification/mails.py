"""From a row to the e-mail itself: whose values it shows, and its headers."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.headerregistry import Address, AddressHeader, HeaderRegistry
from email.utils import format_datetime
from functools import lru_cache
from pathlib import PurePath
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.timezone import localtime

from authconfig.models import current_settings
from verification import recordings
from verification.choices import MailKind
from verification.letters import Attachment, Letter
from verification.models import AccountTest, OutgoingEmail, Voicemail
from verification.smtp import Account
from verification.smtp.addresses import wire_host
from verification.tokens import link_token
from verification.wording import render

# A template's name, and what it shows.
Rendered = tuple[str, dict[str, Any]]
# What is left of a caller's number in the name of a file.
UNSAFE = re.compile(r"[^0-9A-Za-z+-]+")


def letter_of(mail: OutgoingEmail, account: Account) -> Letter:
    """Render the mail; raises OSError if its recording cannot be read now."""
    with translation.override(mail.language), timezone.override(_time_zone(mail)):
        template, context = CONTEXTS[MailKind(mail.kind)](mail)
        return _letter(
            template,
            context,
            account=account,
            recipient=mail.recipient,
            language=mail.language,
            public_id=mail.public_id,
            attachment=_attachment(mail),
        )


def _time_zone(mail: OutgoingEmail) -> ZoneInfo | None:
    """The user's own; None, the site's, also where this machine knows it no more."""
    name = mail.user.time_zone
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _approval(mail: OutgoingEmail) -> Rendered:
    """A verification e-mail; its link is signed here and stored nowhere."""
    login = mail.login
    assert login
    query = urlencode({"id": link_token(login)})
    started, until = localtime(login.created_at), localtime(login.expires_at)
    return "approval", {
        "who": login.user.name,
        "client": str(login.get_client_display()),
        "browser": login.browser_text,
        "address": login.address or "–",  # noqa: RUF001
        "started": f"{date_format(started, 'DATETIME_FORMAT')} {started:%Z}",
        "until": date_format(until, "TIME_FORMAT"),
        "zone": f"{until:%Z}",
        "link": f"{current_settings().verification_link}?{query}",
    }


def _rejection(mail: OutgoingEmail) -> Rendered:
    login = mail.login
    assert login
    page = reverse("admin:authconfig_pbxuser_change", args=[login.user_id])
    link = f"{settings.SITE_URL}{page}"
    return "rejection", {"login": login, "link": link}


def _password(mail: OutgoingEmail) -> Rendered:
    link = f"{settings.SITE_URL}{reverse('verification:account')}"
    return "password", {"user": mail.user, "at": mail.created_at, "link": link}


def _voicemail(mail: OutgoingEmail) -> Rendered:
    return "voicemail", {"user": mail.user, "voicemail": mail.voicemail}


def _attachment(mail: OutgoingEmail) -> Attachment | None:
    return _recording(mail.voicemail) if mail.kind == MailKind.VOICEMAIL else None


def _recording(voicemail: Voicemail) -> Attachment:
    """The file as it was posted, under a name that every system takes."""
    content = recordings.read(voicemail.recording)
    at = timezone.localtime(voicemail.recorded_at)
    caller = UNSAFE.sub("", voicemail.caller_number)
    parts = ["voicemail", f"{at:%Y-%m-%d_%H-%M-%S}", caller]
    suffix = PurePath(voicemail.recording).suffix
    name = "_".join(part for part in parts if part) + suffix
    return Attachment(name, voicemail.content_type, content)


CONTEXTS: dict[MailKind, Callable[[OutgoingEmail], Rendered]] = {
    MailKind.APPROVAL: _approval,
    MailKind.REJECTION: _rejection,
    MailKind.PASSWORD: _password,
    MailKind.VOICEMAIL: _voicemail,
}


def test_letter(test: AccountTest, account: Account) -> Letter:
    with translation.override(test.language):
        return _letter(
            "test",
            {"sent_at": timezone.now(), "account_server": account.server},
            account=account,
            recipient=test.recipient,
            language=test.language,
            public_id=test.public_id,
        )


def _letter(
    template: str,
    context: dict[str, Any],
    *,
    account: Account,
    recipient: str,
    language: str,
    public_id: UUID,
    attachment: Attachment | None = None,
) -> Letter:
    context |= {"site_name": settings.SITE_NAME, "contact_line": settings.CONTACT_LINE}
    subject = render(f"verification/mail/{template}_subject.txt", context)
    letter = Letter(f"verification/mail/{template}_body", context)
    letter["Subject"] = " ".join(subject.split())
    letter["From"] = _sender(account.sender_name, account.email_address)
    letter["To"] = recipient
    letter["Date"] = format_datetime(timezone.now())
    # Stable for the row, so that a second try is known as the same mail.
    domain = account.email_address.rpartition("@")[2]
    letter["Message-ID"] = f"<{public_id}@{wire_host(domain)}>"
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834
    letter["Content-Language"] = language
    letter.attachment = attachment
    return letter


@lru_cache
def _sender(name: str, email_address: str) -> str:
    # Not by `addr_spec`: it takes no letters beyond ASCII before the @.
    header = HeaderRegistry()("From", email_address)
    assert isinstance(header, AddressHeader)
    [address] = header.addresses
    return str(Address(name, address.username, address.domain))
