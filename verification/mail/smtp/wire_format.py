"""Addresses, headers and bodies in the form in which they travel."""

from __future__ import annotations

import copy
import ipaddress
from email.headerregistry import Address, BaseHeader, HeaderRegistry
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import parseaddr
from functools import lru_cache
from typing import Any

from authconfig.names import domain_key

CONTROL_CHARACTERS = "\r\n\0"
ADDRESS_HEADERS = ("From", "Sender", "Reply-To", "To", "Cc")
# Some headers are new with every mail; the others are parsed and folded once.
REMEMBERED = 256
SHORT = 76  # with ": " within the 78 of RFC 5322, 2.1.1


def refuse_control_characters(*values: str) -> None:
    """CR and LF would start another SMTP command."""
    for value in values:
        if any(char in value for char in CONTROL_CHARACTERS):
            raise ValueError("CR, LF or NUL in an SMTP address or name.")


def wire_host(host: str) -> str:
    """Return a host's A-label form; a host that IDNA does not know stays as it is."""
    host = host.strip("[]")
    return host if host.isascii() else domain_key(host) or host


def greeting_name(host: str) -> str:
    """Return what EHLO takes: RFC 5321 wants an IP address as a literal."""
    name = wire_host(host) or "127.0.0.1"
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name if name.isascii() else "[127.0.0.1]"
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"


@lru_cache(maxsize=256)
def wire_address(address: str) -> str:
    """Return the address with its domain as A-labels, or "" if that cannot be.

    An address that Python would take for another one is refused as well: it reads
    `a,b@example` as `a`.
    """
    local, at, domain = address.rpartition("@")
    wire = f"{local}@{domain if domain.isascii() else domain_key(domain)}"
    has_space = any(char.isspace() for char in wire) and not local.startswith('"')
    # Some Pythons parse no address literals, so a name stands in for a right one.
    parsed = f"{local}@literal.invalid" if _is_literal(domain) else wire
    is_understood = parseaddr(parsed) == ("", parsed) and not wire.endswith("@")
    return wire if at and local and is_understood and not has_space else ""


def _is_literal(domain: str) -> bool:
    """RFC 5321, 4.1.3: [192.0.2.1] or [IPv6:2001:db8::1]."""
    if not (domain.startswith("[") and domain.endswith("]")):
        return False
    try:
        ipaddress.ip_address(domain[1:-1].removeprefix("IPv6:"))
    except ValueError:
        return False
    return True


class RememberingHeaders(HeaderRegistry):
    """The library's registry; it parses the same words only once."""

    def __init__(self) -> None:
        super().__init__()
        self._classes: dict[str, type[BaseHeader]] = {}
        self._parsed = lru_cache(REMEMBERED)(super().__call__)

    def __getitem__(self, name: str) -> type[BaseHeader]:
        found = self._classes.get(name)
        if found is None:
            found = self._classes[name] = super().__getitem__(name)
        return found

    def __call__(self, name: str, value: Any) -> BaseHeader:
        if isinstance(value, str):
            return self._parsed(name, str(value))
        return super().__call__(name, value)


class Policy(EmailPolicy):
    """Parses a plain header only when it is read, as that of a received mail."""

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        if isinstance(value, str) and _is_plain(name, value):
            return name, str(value)
        return super().header_store_parse(name, value)

    def fold_binary(self, name: str, value: str) -> bytes:
        return _folded(self, name, value)


def _is_plain(name: str, value: str) -> bool:
    """It needs no encoding and no second line, and cannot begin another header."""
    is_short = len(name) + len(value) < SHORT
    return is_short and value.isascii() and value.isprintable()


@lru_cache(REMEMBERED)
def _folded(policy: Policy, name: str, value: str) -> bytes:
    return EmailPolicy.fold_binary(policy, name, value)


POLICY = Policy(linesep="\r\n", header_factory=RememberingHeaders())


@lru_cache
def wire_policy(*, smtputf8: bool, eight_bit: bool) -> Policy:
    return POLICY.clone(utf8=smtputf8, cte_type="8bit" if eight_bit else "7bit")


def with_wire_domains(message: EmailMessage) -> EmailMessage:
    if _addresses_are_ascii(message):
        return message
    changed = copy.copy(message)
    for name in ADDRESS_HEADERS:
        if not _specs_are_ascii(message, name):
            addresses = [_with_wire_domain(each) for each in message[name].addresses]
            del changed[name]
            changed[name] = addresses
    return changed


def _with_wire_domain(address: Address) -> Address:
    domain = address.domain
    if not domain.isascii():
        domain = domain_key(domain) or domain
    # `addr_spec` takes no letters beyond ASCII before the @.
    return Address(address.display_name, address.username, domain)


def _specs_are_ascii(message: EmailMessage, name: str) -> bool:
    addresses = message[name].addresses if name in message else ()
    return all(address.addr_spec.isascii() for address in addresses)


def has_foreign_mailbox(message: EmailMessage) -> bool:
    if _addresses_are_ascii(message):
        return False
    return not all(_specs_are_ascii(message, name) for name in ADDRESS_HEADERS)


def _addresses_are_ascii(message: EmailMessage) -> bool:
    """If so, names included, nobody needs to look at the addresses one by one."""
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
