"""Reaching an SMTP server, and a look at a certificate that is not trusted."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable

from authconfig.network import SocketAddress
from verification.mail.smtp.faults import Fault, fault_of

Naming = Callable[[str], None]


class UnreachableError(Exception):
    """None of the server's addresses let us in; says so of each."""

    def __init__(self, tried: list[tuple[str, OSError]]) -> None:
        words = (f"{address}: {error.strerror or error}" for address, error in tried)
        super().__init__("; ".join(words))
        fault = fault_of(tried[-1][1])
        is_known = fault in (Fault.REFUSED, Fault.TIMEOUT)
        self.fault = fault if is_known else Fault.UNREACHABLE


def connect(
    addresses: list[SocketAddress], limit: float, naming: Naming
) -> socket.socket:
    """Try one address after the other; each has its share of the limit."""
    end = time.monotonic() + limit
    tried = []
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        naming(address[0])
        share = max((end - time.monotonic()) / left, 0.001)
        try:
            return socket.create_connection(address, share)
        except OSError as error:
            tried.append((address[0], error))
    raise UnreachableError(tried)


def looking_context() -> ssl.SSLContext:
    """For a look at a certificate that is not trusted; nothing may be sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
