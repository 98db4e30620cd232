"""The connection to one controller: encrypted, its certificate verified.

libldap knows no time limit for a TLS handshake, and no CA that is not in a file, so
Python does TLS: libldap writes LDAP into a pair of sockets, and a thread carries it to
the controller and back.
"""

from __future__ import annotations

import selectors
import socket
import ssl
from contextlib import ExitStack, suppress
from threading import Thread

from authconfig import network
from authconfig.choices import NetlogonSecurity
from authconfig.directory.attempt import DirectoryAttempt
from authconfig.directory.choices import NetlogonStage
from authconfig.directory.controllers import Controller
from authconfig.directory.faults import DirectoryError, DirectoryFault
from authconfig.network import Deadline

# RFC 4511, 4.14: message 1, an extended request with the OID of STARTTLS.
STARTTLS_REQUEST = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + b"1.3.6.1.4.1.1466.20037"
LONGEST_ANSWER = 4096
CHUNK = 65536


def open_channel(controller: Controller, attempt: DirectoryAttempt) -> socket.socket:
    deadline = Deadline(attempt.connect_limit)
    with ExitStack() as on_failure:
        sock = on_failure.enter_context(_connect(controller, attempt, deadline))
        if attempt.rules.netlogon_security == NetlogonSecurity.NONE:
            channel = _in_clear(sock, attempt)
        else:
            tls = _encrypt(sock, controller, attempt, deadline)
            channel = _relayed(tls, attempt.operation_limit)
        on_failure.pop_all()
    return channel


def _connect(
    controller: Controller, attempt: DirectoryAttempt, deadline: Deadline
) -> socket.socket:
    with attempt.stage(NetlogonStage.CONNECT) as found:
        found.append(str(controller))
        addresses = network.resolve(controller.host, controller.port, deadline)
        sock = network.connect(addresses, deadline)
        found.append(str(sock.getpeername()[0]))
    return sock


def _in_clear(sock: socket.socket, attempt: DirectoryAttempt) -> socket.socket:
    if not network.is_loopback(sock):
        with attempt.stage(NetlogonStage.TLS):
            raise DirectoryError(NetlogonStage.TLS, DirectoryFault.CLEAR_TEXT)
    attempt.skip(NetlogonStage.TLS)
    sock.settimeout(None)
    return sock


def _encrypt(
    sock: socket.socket,
    controller: Controller,
    attempt: DirectoryAttempt,
    deadline: Deadline,
) -> ssl.SSLSocket:
    with attempt.stage(NetlogonStage.TLS) as found:
        rules = attempt.rules
        context = _trust(rules.netlogon_ca_certificate)
        if rules.netlogon_security == NetlogonSecurity.STARTTLS:
            _start_tls(sock, deadline)
        tls = network.encrypt(sock, context, controller.host, deadline)
        found.append(network.describe(tls))
    return tls


def _trust(ca_certificate: str) -> ssl.SSLContext:
    try:
        return network.verifying_context(ca_certificate)
    except ValueError as error:
        raise DirectoryError(
            NetlogonStage.TLS, DirectoryFault.CA_UNREADABLE, str(error)
        ) from error


def _start_tls(sock: socket.socket, deadline: Deadline) -> None:
    """Nothing else is said in the clear; without encryption the attempt ends."""
    sock.settimeout(deadline.left())
    sock.sendall(STARTTLS_REQUEST)
    answer = _read_answer(sock, deadline)
    # 0x78 begins an extended response; its first element is the result's number.
    start = answer.find(b"\x78")
    number = answer[start + 2 : start + 5] if start >= 0 else b""
    if number[:2] != b"\x0a\x01":
        raise DirectoryError(NetlogonStage.TLS, DirectoryFault.NOT_LDAP)
    if number[2:] != b"\0":
        words = answer[start + 5 :].decode("utf-8", "replace")
        raise DirectoryError(NetlogonStage.TLS, DirectoryFault.NO_STARTTLS, words)


def _read_answer(sock: socket.socket, deadline: Deadline) -> bytes:
    """Read one message and no byte more: whatever follows must be TLS already."""
    header = _read(sock, 2, deadline)
    length = header[1]
    if length & 0x80:
        length = int.from_bytes(_read(sock, length & 0x7F, deadline), "big")
    if header[0] != 0x30 or length > LONGEST_ANSWER:
        raise DirectoryError(NetlogonStage.TLS, DirectoryFault.NOT_LDAP)
    return _read(sock, length, deadline)


def _read(sock: socket.socket, length: int, deadline: Deadline) -> bytes:
    read = b""
    while len(read) < length:
        sock.settimeout(deadline.left())
        chunk = sock.recv(length - len(read))
        if not chunk:
            raise ConnectionResetError("connection closed")
        read += chunk
    return read


def _relayed(tls: ssl.SSLSocket, limit: float) -> socket.socket:
    ours, relay = socket.socketpair()
    carry = Thread(target=_carry, args=(relay, tls, limit), daemon=True)
    carry.start()
    return ours


def _carry(relay: socket.socket, tls: ssl.SSLSocket, limit: float) -> None:
    """Carry both ways until either end closes; libldap limits the time of answers."""
    with relay, tls, selectors.DefaultSelector() as selector, suppress(OSError):
        selector.register(relay, selectors.EVENT_READ, tls)
        selector.register(tls, selectors.EVENT_READ, relay)
        while True:
            for source, target in _ready(selector, tls):
                source.settimeout(0)
                with suppress(ssl.SSLWantReadError):  # a TLS record without data
                    words = source.recv(CHUNK)
                    if not words:
                        return
                    target.settimeout(limit)
                    target.sendall(words)


def _ready(
    selector: selectors.BaseSelector, tls: ssl.SSLSocket
) -> list[tuple[socket.socket, socket.socket]]:
    """Return (source, target) of what can be read; TLS may hold read bytes back."""
    held_back = tls.pending() > 0
    keys = [key for key, _mask in selector.select(0 if held_back else None)]
    if held_back and all(key.fileobj is not tls for key in keys):
        keys.append(selector.get_key(tls))
    return [(key.fileobj, key.data) for key in keys]  # type: ignore[misc]  # sockets
