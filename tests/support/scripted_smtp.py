"""A scripted SMTP server, for what real ones never do."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from authconfig.choices import SmtpSecurity
from verification.mail.account import Account

LIMIT = 10.0  # seconds for whatever a server does to start or to end


class HangUpError(Exception):
    """Raised by an action that ends the connection."""


Action = Callable[[socket.socket], None]


def hang_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)
    raise HangUpError


def stay_silent(connection: socket.socket) -> None:
    """Keep the connection and say nothing until the client has enough."""
    connection.settimeout(LIMIT)
    with suppress(OSError):
        while connection.recv(4096):
            pass
    raise HangUpError


def then_silent(words: bytes) -> Action:
    def say(connection: socket.socket) -> None:
        connection.sendall(words)
        stay_silent(connection)

    return say


def drip(words: bytes, seconds: float) -> Action:
    """Say it byte by byte, each in time for a limit that starts anew with each."""
    pause = threading.Event()

    def say(connection: socket.socket) -> None:
        for number in words:
            connection.sendall(bytes([number]))
            pause.wait(seconds)

    return say


# GREETING and "." (after the body) are ours; the rest are SMTP's own verbs.
POLITE: Mapping[str, bytes | Action] = {
    "GREETING": b"220 scripted ESMTP\r\n",
    "EHLO": b"250-scripted\r\n250 8BITMIME\r\n",
    "STARTTLS": b"220 2.0.0 Go ahead\r\n",
    "AUTH": b"235 2.7.0 Welcome\r\n",
    "MAIL": b"250 2.1.0 OK\r\n",
    "RCPT": b"250 2.1.5 OK\r\n",
    "DATA": b"354 Go ahead\r\n",
    ".": b"250 2.0.0 Taken over\r\n",
    "RSET": b"250 2.0.0 OK\r\n",
    "NOOP": b"250 2.0.0 OK\r\n",
    "QUIT": b"221 2.0.0 Bye\r\n",
}


@dataclass
class ScriptedServer:
    script: dict[str, bytes | Action]
    context: ssl.SSLContext | None = None
    port: int = 0
    lines: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def account(self, **changes: Any) -> Account:
        account = Account(
            server="127.0.0.1",
            port=self.port,
            security=SmtpSecurity.NONE,
            email_address="site@example.com",
            connect_timeout=5,
            reply_timeout=5,
            data_timeout=5,
        )
        return replace(account, **changes)

    @property
    def verbs(self) -> list[str]:
        return [line.partition(" ")[0].upper() for line in self.lines]

    def converse(self, connection: socket.socket) -> None:
        self._answer(connection, "GREETING")
        with connection.makefile("rb") as reader:
            if not self._obey(connection, reader):
                return
        assert self.context is not None
        with (
            self.context.wrap_socket(connection, server_side=True) as encrypted,
            encrypted.makefile("rb") as reader,
        ):
            self._obey(encrypted, reader)

    def _obey(self, connection: socket.socket, reader: BinaryIO) -> bool:
        """Answer until the client hangs up; return whether it wants TLS instead."""
        while line := reader.readline():
            self.lines.append(line.decode(errors="replace").rstrip("\r\n"))
            verb = self.verbs[-1]
            answer = self._answer(connection, verb)
            if verb == "STARTTLS" and self.context:
                return True
            if answer.startswith(b"354"):
                self.bodies.append(_read_body(reader))
                self._answer(connection, ".")
        return False

    def _answer(self, connection: socket.socket, verb: str) -> bytes:
        answer = self.script.get(verb, b"500 5.5.1 Unknown command\r\n")
        if not isinstance(answer, bytes):
            answer(connection)
            return b""
        connection.sendall(answer)
        return answer


def _read_body(reader: BinaryIO) -> bytes:
    body = b""
    while (line := reader.readline()) not in (b".\r\n", b""):
        body += line
    return body


@contextmanager
def scripted_server(
    script: Mapping[str, bytes | Action] | None = None,
    *,
    context: ssl.SSLContext | None = None,
) -> Iterator[ScriptedServer]:
    """Run a server that answers each verb by the script, politely by default."""
    server = ScriptedServer({**POLITE, **(script or {})}, context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]
        thread = threading.Thread(target=_accept, args=(server, listener), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            # Closing alone does not wake the thread up.
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(LIMIT)


def _accept(server: ScriptedServer, listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            connection, _peer = listener.accept()
            threading.Thread(
                target=_converse, args=(server, connection), daemon=True
            ).start()


def _converse(server: ScriptedServer, connection: socket.socket) -> None:
    connection.settimeout(LIMIT)
    with connection, suppress(OSError, HangUpError, ValueError):
        server.converse(connection)


def closed_port() -> int:
    """Return a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
