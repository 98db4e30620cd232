"""Finding a server, reaching it and trusting its certificate, each within a limit."""

from __future__ import annotations

import selectors
import socket
import ssl
import time
from concurrent.futures import Future
from ipaddress import ip_address
from threading import Thread

import idna
from cryptography import x509
from cryptography.x509.oid import NameOID
from django.utils.formats import date_format
from django.utils.translation import gettext as _

LONGEST_WORDS = 500
SocketAddress = tuple[str, int]


class Deadline:
    """A limit for several steps together."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left; TimeoutError if there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def is_over(self) -> bool:
        return self._end <= time.monotonic()


def readable(words: str) -> str:
    """Make one short, printable line of what a server says."""
    line = " ".join(words.replace("\0", "").split())
    # Direction marks and the like could make a log line read as another.
    return "".join(c if c.isprintable() else "?" for c in line)[:LONGEST_WORDS]


def ascii_host(host: str) -> str:
    """Return the name as DNS and certificates spell it; ValueError if it is none."""
    return host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")


def resolve(host: str, port: int, deadline: Deadline) -> list[SocketAddress]:
    """Ask the system for the host's addresses; it knows no time limit itself."""
    answer: Future[list[SocketAddress]] = Future()
    Thread(target=_look_up, args=(host, port, answer), daemon=True).start()
    return answer.result(deadline.left())


def _look_up(host: str, port: int, answer: Future[list[SocketAddress]]) -> None:
    try:
        # As bytes it goes out as it is, past Python's own, older IDNA.
        name = ascii_host(host).encode()
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        answer.set_exception(error)
    else:
        addresses = [(str(info[4][0]), port) for info in found]
        answer.set_result(list(dict.fromkeys(addresses)))


def connect(addresses: list[SocketAddress], deadline: Deadline) -> socket.socket:
    """Try one address after the other; each has its share of what time is left."""
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            return socket.create_connection(address, deadline.left() / left)
        except OSError:
            if left == 1:
                raise
    raise ConnectionError(_("The name has no address."))


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


def encrypt(
    sock: socket.socket, context: ssl.SSLContext, host: str, deadline: Deadline
) -> ssl.SSLSocket:
    """Shake hands within the deadline, however slowly the server drips."""
    tls = context.wrap_socket(
        sock, server_hostname=ascii_host(host), do_handshake_on_connect=False
    )
    try:
        tls.settimeout(0)
        while not _shake(tls, deadline):
            pass
    except BaseException:
        tls.close()
        raise
    return tls


def _shake(tls: ssl.SSLSocket, deadline: Deadline) -> bool:
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        _await(tls, selectors.EVENT_READ, deadline)
    except ssl.SSLWantWriteError:
        _await(tls, selectors.EVENT_WRITE, deadline)
    else:
        return True
    return False


def _await(sock: socket.socket, event: int, deadline: Deadline) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(sock, event)
        if not selector.select(deadline.left()):
            raise TimeoutError


def describe(tls: ssl.SSLSocket) -> str:
    """Say which encryption it is, and whose certificate."""
    return f"{tls.version()}, {certificate_words(certificate_of(tls))}"


def certificate_of(tls: ssl.SSLSocket) -> x509.Certificate:
    """Return the server's certificate; ValueError if it is malformed."""
    return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")


def certificate_words(certificate: x509.Certificate) -> str:
    return _("%(subject)s, issued by %(issuer)s, valid until %(date)s") % {
        "subject": common_name(certificate.subject),
        "issuer": common_name(certificate.issuer),
        "date": date_format(certificate.not_valid_after_utc, "SHORT_DATE_FORMAT"),
    }


def common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()
