"""From a message to the bytes that follow the DATA command."""

from __future__ import annotations

import copy
from email.headerregistry import Address
from email.message import EmailMessage

from authconfig.names import domain_key
from verification.mail.smtp.headers import wire_policy

ADDRESS_HEADERS = ("From", "Sender", "Reply-To", "To", "Cc")


def with_wire_domains(message: EmailMessage) -> EmailMessage:
    """Return the message with the domains in its headers as A-labels."""
    if _addresses_are_ascii(message):
        return message
    changed = copy.copy(message)
    for name in ADDRESS_HEADERS:
        if not _specs_are_ascii(message, name):
            addresses = [_wire(address) for address in message[name].addresses]
            del changed[name]
            changed[name] = addresses
    return changed


def _wire(address: Address) -> Address:
    domain = address.domain
    if not domain.isascii():
        domain = domain_key(domain) or domain
    # Not by `addr_spec`: it takes no letters beyond ASCII before the @.
    return Address(address.display_name, address.username, domain)


def _specs_are_ascii(message: EmailMessage, name: str) -> bool:
    addresses = message[name].addresses if name in message else ()
    return all(address.addr_spec.isascii() for address in addresses)


def has_foreign_mailbox(message: EmailMessage) -> bool:
    """Does a header name a mailbox that only SMTPUTF8 can carry?"""
    if _addresses_are_ascii(message):
        return False
    return not all(_specs_are_ascii(message, name) for name in ADDRESS_HEADERS)


def _addresses_are_ascii(message: EmailMessage) -> bool:
    """Names included; then nobody needs to look at the addresses one by one."""
    return all(
        value.isascii()
        for name, value in message.raw_items()
        if name in ADDRESS_HEADERS
    )


def serialise(message: EmailMessage, *, smtputf8: bool, eight_bit: bool) -> bytes:
    return message.as_bytes(policy=wire_policy(smtputf8=smtputf8, eight_bit=eight_bit))


def as_data(content: bytes) -> bytes:
    """Double the leading dots and add the one that ends the mail (RFC 5321 4.5.2)."""
    stuffed = (b"\n" + content).replace(b"\n.", b"\n..")[1:]
    end = b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"
    return stuffed + end
