"""From a row to the message: whose values it shows, and its headers."""

from __future__ import annotations

from email.headerregistry import Address, AddressHeader, HeaderRegistry
from email.utils import format_datetime
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.utils import timezone, translation

from verification.mail.account import Account
from verification.mail.fast.merge import MergedMessage, render
from verification.mail.kinds import Attachment, kind_of
from verification.mail.models import OutgoingEmail
from verification.mail.smtp.wire_format import wire_host


def render_mail(mail: OutgoingEmail, account: Account) -> MergedMessage:
    """Render the mail; raises OSError if its attachment cannot be read now."""
    kind = kind_of(mail)
    with translation.override(mail.language), timezone.override(_time_zone(mail)):
        return compose(
            kind.template,
            kind.context(mail),
            account=account,
            recipient=mail.recipient,
            language=mail.language,
            public_id=mail.public_id,
            attachment=kind.attachment(mail),
        )


def _time_zone(mail: OutgoingEmail) -> ZoneInfo | None:
    """The user's own; None, the site's, if there is none or this machine lost it."""
    name = mail.user.time_zone if mail.user else ""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


def compose(
    template: str,
    context: dict[str, Any],
    *,
    account: Account,
    recipient: str,
    language: str,
    public_id: UUID,
    attachment: Attachment | None = None,
) -> MergedMessage:
    context |= {"site_name": settings.SITE_NAME, "contact_line": settings.CONTACT_LINE}
    subject = render(f"{template}_subject.txt", context)
    message = MergedMessage(f"{template}_body", context)
    message["Subject"] = _literal(subject)
    message["From"] = _sender(account.sender_name, account.email_address)
    message["To"] = recipient
    message["Date"] = format_datetime(timezone.now())
    # The same for each try, so that a mail that arrives twice is known as one.
    domain = account.email_address.rpartition("@")[2]
    message["Message-ID"] = f"<{public_id}@{wire_host(domain)}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834
    message["Content-Language"] = language
    message.attachment = attachment
    return message


def _literal(subject: str) -> str:
    """Return one line that reads as it stands.

    The library would decode what looks like an encoded word (RFC 2047), line breaks in
    it included, and then begin another header or refuse the mail.
    """
    return " ".join(subject.split()).replace("=?", "= ?")


@lru_cache
def _sender(name: str, email_address: str) -> str:
    # `addr_spec` takes no letters beyond ASCII before the @.
    header = HeaderRegistry()("From", email_address)
    assert isinstance(header, AddressHeader)
    [address] = header.addresses
    return str(Address(name, address.username, address.domain))
