"""A scripted LDAP server, for what slapd never says: Active Directory's own words."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from pyasn1.codec.ber import decoder, encoder
from pyasn1.error import PyAsn1Error, SubstrateUnderrunError
from pyasn1_modules import rfc2251

LIMIT = 10.0  # seconds for whatever a server does to start or to end
SUCCESS, INVALID_CREDENTIALS = 0, 49

# Controls by their object identifiers, as the directory sends them.
Controls = Mapping[str, bytes]
Answer = tuple[int, str] | tuple[int, str, Controls]
Entries = list[tuple[str, Mapping[str, list[str]]]]


def refusal(sub_code: str) -> Answer:
    """Return Active Directory's answer to a bind that it refuses."""
    words = f"80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data {sub_code}, v4563"  # noqa: E501  # as it comes
    return INVALID_CREDENTIALS, words


class SearchRefusedError(Exception):
    """Raised by a script whose search ends with another code than success."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class HangUpError(Exception):
    """Raised by a script that ends the connection."""


def accept(_name: str, _password: str) -> Answer:
    return SUCCESS, ""


def hang_up(_name: str, _password: str) -> Answer:
    raise HangUpError


@dataclass
class ScriptedDirectory:
    """`on_bind` and `on_search` may be changed while it runs."""

    port: int = 0
    on_bind: Callable[[str, str], Answer] = accept
    on_search: Callable[[str, bytes], Entries] = lambda _base, _request: []
    starttls_code: int | None = None
    binds: list[tuple[str, str]] = field(default_factory=list)
    searches: list[tuple[str, bytes]] = field(default_factory=list)

    def converse(self, connection: socket.socket) -> None:
        held = b""
        while chunk := connection.recv(65536):
            held += chunk
            with suppress(SubstrateUnderrunError):
                while held:
                    message, rest = decoder.decode(held, rfc2251.LDAPMessage())
                    self._obey(connection, message, held[: len(held) - len(rest)])
                    held = rest

    def _obey(self, connection: socket.socket, message: Any, raw: bytes) -> None:
        operation = message["protocolOp"]
        number = int(message["messageID"])
        if operation.getName() == "bindRequest":
            bind = operation["bindRequest"]
            name = str(bind["name"])
            password = str(bind["authentication"]["simple"])
            self.binds.append((name, password))
            connection.sendall(
                _result(number, "bindResponse", self.on_bind(name, password))
            )
        elif operation.getName() == "searchRequest":
            base = str(operation["searchRequest"]["baseObject"])
            self.searches.append((base, raw))
            code = SUCCESS
            try:
                for dn, attributes in self.on_search(base, raw):
                    connection.sendall(_entry(number, dn, attributes))
            except SearchRefusedError as refused:
                code = refused.code
            connection.sendall(_result(number, "searchResDone", (code, "")))
        elif self.starttls_code is not None:
            connection.sendall(_refused_starttls(number, self.starttls_code))
        else:
            raise HangUpError


def _refused_starttls(number: int, code: int) -> bytes:
    return bytes([0x30, 12, 2, 1, number, 0x78, 7, 10, 1, code, 4, 0, 4, 0])


def _result(number: int, kind: str, answer: Answer) -> bytes:
    message = rfc2251.LDAPMessage()
    message["messageID"] = number
    result = message["protocolOp"][kind]
    result["resultCode"], result["errorMessage"], *controls = answer
    result["matchedDN"] = ""
    for sent in controls:
        message["controls"].clear()
        for place, (oid, value) in enumerate(sent.items()):
            message["controls"][place]["controlType"] = oid
            message["controls"][place]["controlValue"] = value
    return bytes(encoder.encode(message))


def _entry(number: int, dn: str, attributes: Mapping[str, list[str]]) -> bytes:
    message = rfc2251.LDAPMessage()
    message["messageID"] = number
    entry = message["protocolOp"]["searchResEntry"]
    entry["objectName"] = dn
    entry["attributes"].clear()
    for place, (name, values) in enumerate(attributes.items()):
        entry["attributes"][place]["type"] = name
        for index, value in enumerate(values):
            entry["attributes"][place]["vals"][index] = value
    return bytes(encoder.encode(message))


@contextmanager
def scripted_directory(**script: Any) -> Iterator[ScriptedDirectory]:
    """Run a server that accepts every bind and finds nothing, unless told else."""
    server = ScriptedDirectory(**script)
    with listening(server.converse) as port:
        server.port = port
        yield server


@contextmanager
def silent_server() -> Iterator[int]:
    """Run a server that accepts connections and says nothing; yield its port."""

    def stay_silent(connection: socket.socket) -> None:
        while connection.recv(4096):
            pass

    with listening(stay_silent) as port:
        yield port


@contextmanager
def listening(converse: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(
            target=_accept, args=(listener, converse), daemon=True
        )
        thread.start()
        port: int = listener.getsockname()[1]
        yield port
        # Closing alone does not wake the thread up.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(LIMIT)


def _accept(listener: socket.socket, converse: Callable[[socket.socket], None]) -> None:
    with suppress(OSError):
        while True:
            connection, _peer = listener.accept()
            threading.Thread(
                target=_serve, args=(connection, converse), daemon=True
            ).start()


def _serve(
    connection: socket.socket, converse: Callable[[socket.socket], None]
) -> None:
    connection.settimeout(LIMIT)
    with connection, suppress(OSError, HangUpError, PyAsn1Error):
        converse(connection)
