"""Finding an SMTP server, reaching it, and trusting its certificate."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import Future
from ipaddress import ip_address
from threading import Thread

from cryptography import x509
from cryptography.x509.oid import NameOID
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from verification.smtp.faults import Fault, fault_of

SocketAddress = tuple[str, int]
Naming = Callable[[str], None]


class UnreachableError(Exception):
    """None of the server's addresses let us in; says so of each."""

    def __init__(self, tried: list[tuple[str, OSError]]) -> None:
        words = (f"{address}: {error.strerror or error}" for address, error in tried)
        super().__init__("; ".join(words))
        fault = fault_of(tried[-1][1])
        is_known = fault in (Fault.REFUSED, Fault.TIMEOUT)
        self.fault = fault if is_known else Fault.UNREACHABLE


def resolve(host: str, port: int, limit: float) -> list[SocketAddress]:
    """Ask the system for the server's addresses; it knows no time limit itself."""
    answer: Future[list[SocketAddress]] = Future()
    Thread(target=_look_up, args=(host, port, answer), daemon=True).start()
    return answer.result(limit)


def _look_up(host: str, port: int, answer: Future[list[SocketAddress]]) -> None:
    try:
        # As bytes it goes out as it is, past Python's own, older IDNA.
        found = socket.getaddrinfo(host.encode(), port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        answer.set_exception(error)
    else:
        addresses = [(str(info[4][0]), port) for info in found]
        answer.set_result(list(dict.fromkeys(addresses)))


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


def is_loopback(sock: socket.socket) -> bool:
    return ip_address(sock.getpeername()[0].partition("%")[0]).is_loopback


def verifying_context(ca_certificate: str) -> ssl.SSLContext:
    """Trust the system's authorities and the given one; ValueError if it is no PEM."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_certificate:
        # Remarks around the certificates may hold any letters.
        pem = ca_certificate.encode("ascii", "ignore").decode()
        try:
            context.load_verify_locations(cadata=pem)
        except ssl.SSLError as error:
            raise ValueError(str(error)) from error
    return context


def looking_context() -> ssl.SSLContext:
    """For a look at a certificate that is not trusted; nothing may be sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def certificate_of(sock: ssl.SSLSocket) -> x509.Certificate:
    """Return the server's certificate; ValueError if it is malformed."""
    return x509.load_der_x509_certificate(sock.getpeercert(binary_form=True) or b"")


def describe(certificate: x509.Certificate) -> str:
    return _("%(subject)s, issued by %(issuer)s, valid until %(date)s") % {
        "subject": common_name(certificate.subject),
        "issuer": common_name(certificate.issuer),
        "date": date_format(certificate.not_valid_after_utc, "SHORT_DATE_FORMAT"),
    }


def common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()
