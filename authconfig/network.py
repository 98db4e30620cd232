"""Reaching other people's servers: every wait has a limit, every failure one name.

Machines agree on moments by the clock of their database, which is read here.
"""

from __future__ import annotations

import logging
import selectors
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime, timedelta
from enum import Enum, auto
from ipaddress import ip_address
from threading import Thread
from typing import TypeVar

import idna
from cryptography import x509
from cryptography.x509.oid import NameOID
from django.db import Error as AnyDatabaseError
from django.db import connection
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

T = TypeVar("T")
logger = logging.getLogger(__name__)
LONGEST_WORDS = 500
# With less time than this, connecting could not even begin.
SHORTEST_WAIT_SECONDS = 0.001
# A clock that is being corrected is believed no longer than this.
COMPARED_EVERY = 30.0  # seconds
# Clocks that are kept by a time server differ by less.
UNNOTED_SECONDS = 1.0
# From here on operators are told.
TOLD_SECONDS = 5.0
CLOCK = "SELECT clock_timestamp()"
SocketAddress = tuple[str, int]


class NetworkFault(Enum):
    NAME_UNKNOWN = auto()
    REFUSED = auto()
    UNREACHABLE = auto()
    TIMEOUT = auto()
    CLOSED = auto()
    NOT_TLS = auto()
    OLD_TLS = auto()
    TLS_CLOSED = auto()
    TLS_FAILED = auto()
    UNTRUSTED = auto()
    CERTIFICATE_EXPIRED = auto()
    CERTIFICATE_NOT_YET_VALID = auto()
    WRONG_NAME = auto()


# The order counts: most of these classes derive from OSError.
FAULTS: tuple[tuple[type[Exception], NetworkFault], ...] = (
    (ssl.SSLCertVerificationError, NetworkFault.UNTRUSTED),
    (ssl.SSLEOFError, NetworkFault.TLS_CLOSED),
    (ssl.SSLZeroReturnError, NetworkFault.TLS_CLOSED),
    (ssl.SSLError, NetworkFault.TLS_FAILED),
    (TimeoutError, NetworkFault.TIMEOUT),
    (socket.gaierror, NetworkFault.NAME_UNKNOWN),
    (ConnectionRefusedError, NetworkFault.REFUSED),
    (ConnectionError, NetworkFault.CLOSED),
    (UnicodeError, NetworkFault.NAME_UNKNOWN),
)
# OpenSSL's X509_V_ERR_… numbers; all others mean that nobody vouches for the server.
CERTIFICATE_FAULTS = {
    9: NetworkFault.CERTIFICATE_NOT_YET_VALID,
    10: NetworkFault.CERTIFICATE_EXPIRED,
    62: NetworkFault.WRONG_NAME,
    64: NetworkFault.WRONG_NAME,
}
TLS_FAULTS = {
    "WRONG_VERSION_NUMBER": NetworkFault.NOT_TLS,
    "PACKET_LENGTH_TOO_LONG": NetworkFault.NOT_TLS,
    "UNSUPPORTED_PROTOCOL": NetworkFault.OLD_TLS,
    "TLSV1_ALERT_PROTOCOL_VERSION": NetworkFault.OLD_TLS,
}


class UnreachableError(OSError):
    """None of the addresses takes a connection; the text names each of them."""

    def __init__(self, tried: list[tuple[str, OSError]]) -> None:
        words = (f"{address}: {error.strerror or error}" for address, error in tried)
        super().__init__("; ".join(words))
        self.last = tried[-1][1]


def network_fault(error: BaseException | None) -> NetworkFault:
    if isinstance(error, UnreachableError):
        error = error.last
    for kind, fault in FAULTS:
        if isinstance(error, kind):
            return _exact_fault(error, fault)
    return NetworkFault.UNREACHABLE


def _exact_fault(error: BaseException, fault: NetworkFault) -> NetworkFault:
    if isinstance(error, ssl.SSLCertVerificationError):
        return CERTIFICATE_FAULTS.get(error.verify_code, fault)
    if isinstance(error, ssl.SSLError):
        return TLS_FAULTS.get(getattr(error, "reason", ""), fault)
    return fault


class Deadline:
    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left; TimeoutError if there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def share(self, parts: int) -> float:
        """Return an equal part of the seconds that are left, at least a moment."""
        return max((self._end - time.monotonic()) / parts, SHORTEST_WAIT_SECONDS)

    def is_over(self) -> bool:
        return self._end <= time.monotonic()


def release_database() -> None:
    """Hold no connection while somebody else's server is waited for.

    A process has few, and its other pages need them meanwhile.
    """
    if not connection.in_atomic_block:
        connection.close()


def within(deadline: Deadline, work: Callable[[], T]) -> T:
    """Run work that knows no time limit itself; its thread may outlive the deadline."""
    answer: Future[T] = Future()
    Thread(target=_answer, args=(answer, work), daemon=True).start()
    return answer.result(deadline.left())


def _answer(answer: Future[T], work: Callable[[], T]) -> None:
    try:
        result = work()
    except Exception as error:
        answer.set_exception(error)
    else:
        answer.set_result(result)


def readable(words: str | bytes) -> str:
    """Make one short, printable line of what a server says."""
    if isinstance(words, bytes):
        words = words.decode("utf-8", "replace")
    line = " ".join(words.replace("\0", "").split())
    # Direction marks and the like could make a log line read as another.
    if not line.isprintable():
        line = "".join(c if c.isprintable() else "?" for c in line)
    return line[:LONGEST_WORDS]


def ascii_host(host: str) -> str:
    """Return the name as DNS and certificates spell it; ValueError if it is none."""
    return host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")


def resolve(host: str, port: int, deadline: Deadline) -> list[SocketAddress]:
    def look_up() -> list[SocketAddress]:
        # Python encodes a str by an older IDNA than ours, and leaves bytes alone.
        name = ascii_host(host).encode()
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        addresses = [(str(info[4][0]), port) for info in found]
        return list(dict.fromkeys(addresses))

    return within(deadline, look_up)


def connect(
    addresses: list[SocketAddress],
    deadline: Deadline,
    announce: Callable[[str], None] = lambda _address: None,
) -> socket.socket:
    """Try one address after the other, each for an equal share of the time left."""
    tried = []
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        announce(address[0])
        try:
            return socket.create_connection(address, deadline.share(left))
        except OSError as error:
            tried.append((address[0], error))
    if not tried:
        raise ConnectionError(_("The name has no address."))
    raise UnreachableError(tried)


def is_loopback(sock: socket.socket) -> bool:
    return ip_address(sock.getpeername()[0].partition("%")[0]).is_loopback


def verifying_context(ca_certificate: str) -> ssl.SSLContext:
    """Trust the system's authorities and the given one; ValueError if it is no PEM."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_certificate:
        # People leave remarks in any script around the certificates.
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
            raise TimeoutError("timed out")


def describe(tls: ssl.SSLSocket) -> str:
    version = str(tls.version())
    with suppress(ValueError):
        return f"{version}, {certificate_words(certificate_of(tls))}"
    return version


def certificate_of(tls: ssl.SSLSocket) -> x509.Certificate:
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


class DatabaseClock:
    """How far the database's clock is ahead of this process's, in seconds.

    A lease that one machine writes is read by others, whose clocks may go wrong. On
    SQLite both are the clock of one machine.
    """

    def __init__(self) -> None:
        self.is_asked = True
        self.ahead = 0.0
        self._compared_at = float("-inf")

    def now(self) -> datetime:
        """Return the database's time; it never fails, but may ask the database."""
        if time.monotonic() - self._compared_at > COMPARED_EVERY:
            self.compare()
        return timezone.now() + timedelta(seconds=self.ahead)

    def compare(self) -> None:
        if not self.is_asked or connection.vendor != "postgresql":
            return
        self._compared_at = began = time.monotonic()
        try:
            with connection.cursor() as cursor:
                cursor.execute(CLOCK)
                (there,) = cursor.fetchone()
        except AnyDatabaseError as error:
            logger.warning("clocks not compared (%s)", type(error).__name__)
            return
        took = time.monotonic() - began
        ahead = (there - timezone.now()).total_seconds() + took / 2
        self.ahead = ahead if abs(ahead) > UNNOTED_SECONDS + took else 0.0


database_clock = DatabaseClock()
database_now = database_clock.now
