"""Whether a request comes from this very machine, with no proxy between."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from django.http import HttpRequest

FORWARDING_HEADERS = {"Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip"}


def is_on_this_machine(request: HttpRequest) -> bool:
    if any(
        name in FORWARDING_HEADERS or name.startswith("X-Forwarded-")
        for name in request.headers
    ):
        return False
    try:
        address = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback
