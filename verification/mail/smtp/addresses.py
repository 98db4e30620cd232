"""Names and addresses in the form in which they travel."""

from __future__ import annotations

import ipaddress
from email.utils import parseaddr
from functools import lru_cache

from authconfig.names import domain_key

CONTROL_CHARACTERS = "\r\n\0"


def refuse_control_characters(*values: str) -> None:
    """CR and LF would start another SMTP command."""
    for value in values:
        if any(char in value for char in CONTROL_CHARACTERS):
            raise ValueError("CR, LF or NUL in an SMTP address or name.")


def wire_host(host: str) -> str:
    """Return a host's A-label form; what IDNA does not know stays as it is."""
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

    What Python would understand as another address is none: it takes `a,b@example`
    for `a`.
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
