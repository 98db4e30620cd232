"""The standard library's SMTP client with a limit on every wait."""

from __future__ import annotations

import smtplib
import socket
import ssl
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence

from authconfig import network
from authconfig.network import Deadline

LONGEST_REPLY = 65536  # bytes; real ones have some hundred
CHUNK = 4096
# CRAM-MD5 comes last, since it needs passwords that the server can read. The others
# are safe here: everything goes over TLS or stays on this machine.
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")
# RFC 4616 has UTF-8 in PLAIN. No standard describes LOGIN; servers take it likewise.
MECHANISMS_OF_UTF8 = ("PLAIN", "LOGIN")
# With an access token, the one that Microsoft and Google describe comes first.
TOKEN_MECHANISMS = ("XOAUTH2", "OAUTHBEARER")
# A longer line with a first answer is not allowed (RFC 4954, 4; RFC 5321, 4.5.3.1.4).
LONGEST_COMMAND = 512
# The server does not know the mechanism, or refuses it here; another one may do.
TRY_ANOTHER = {504, 534}


class PlaintextBeforeTlsError(smtplib.SMTPException):
    """Somebody wrote into the connection before its encryption began."""


class Replies:
    """The file that smtplib reads; a whole reply has one limit, however it drips."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.unread = b""
        self.allow(0)

    def allow(self, seconds: float) -> None:
        self.deadline = Deadline(seconds)
        self.bytes_left = LONGEST_REPLY

    def readline(self, limit: int) -> bytes:
        while b"\n" not in self.unread and len(self.unread) < limit:
            chunk = self._receive()
            if not chunk:
                break
            self.unread += chunk
        end = self.unread.find(b"\n", 0, limit) + 1 or limit
        line, self.unread = self.unread[:end], self.unread[end:]
        return line

    def _receive(self) -> bytes:
        self.sock.settimeout(self.deadline.left())
        chunk = self.sock.recv(CHUNK)
        self.bytes_left -= len(chunk)
        if self.bytes_left < 0:
            raise ConnectionAbortedError("the reply does not end")
        return chunk

    def close(self) -> None:
        self.unread = b""


class Client(smtplib.SMTP):
    """`limit` is that of the next command or reply, in seconds.

    `is_idle`: a command may be sent. `unanswered`: how many replies are still to come.
    """

    file: Replies | None

    def __init__(self, sock: socket.socket, greeting_name: str, limit: float) -> None:
        super().__init__(local_hostname=greeting_name)
        self.limit = limit
        # How the server is called, for a login that names it.
        self.peer_name = ("", 0)
        self.challenge = b""
        self.is_idle = False
        self.unanswered = 0
        self.attach(sock)

    @property
    def is_usable(self) -> bool:
        return self.is_idle and not self.unanswered and self.sock is not None

    @property
    def most_bytes(self) -> int | None:
        """How large a mail the server takes; None if it does not say (RFC 1870)."""
        said = self.esmtp_features.get("size", "").strip()
        return int(said) or None if said.isascii() and said.isdigit() else None

    def attach(self, sock: socket.socket) -> None:
        self.sock = sock
        self.file = Replies(sock)

    def send(self, s: str | bytes) -> None:  # type: ignore[override]
        self.is_idle = False
        if self.sock:
            self.sock.settimeout(self.limit)
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None:
            raise smtplib.SMTPServerDisconnected("The connection is closed.")
        self.file.allow(self.limit)
        code, words = super().getreply()
        self.is_idle = 200 <= code < 600 and not 300 <= code < 400
        return code, words

    def ask_in_turn(self, commands: Sequence[str]) -> Iterator[tuple[int, bytes]]:
        """Yield the reply to each command, all sent at once if the server offers that.

        Otherwise a command is sent when its reply is asked for (RFC 2920).
        """
        if not self.has_extn("pipelining"):
            yield from (self._ask(command) for command in commands)
            return
        self.unanswered = len(commands)
        self.send("".join(f"{command}\r\n" for command in commands).encode())
        while self.unanswered:
            yield self._next_reply()

    def _ask(self, command: str) -> tuple[int, bytes]:
        self.send(f"{command}\r\n".encode())
        return self.getreply()

    def _next_reply(self) -> tuple[int, bytes]:
        reply = self.getreply()
        self.unanswered -= 1
        return reply

    def settle(self) -> None:
        while self.unanswered:
            # The server wants a body and gets none, so the connection has to end.
            if self._next_reply()[0] == 354:
                self.close()
                return

    def encrypt(self, context: ssl.SSLContext, server_name: str) -> None:
        """Start TLS; ehlo() then forgets what was offered before (RFC 3207)."""
        if self.file is None or self.sock is None:
            raise smtplib.SMTPServerDisconnected("The connection is closed.")
        if self.file.unread:
            raise PlaintextBeforeTlsError(self.file.unread[:100])
        limit = Deadline(self.limit)
        self.attach(network.encrypt(self.sock, context, server_name, limit))

    def offered_mechanisms(self) -> list[str]:
        return self.esmtp_features.get("auth", "").upper().split()

    def authenticate(self, username: str, password: str) -> tuple[int, bytes]:
        """Log in by one mechanism, as each try counts as a wrong password."""
        self.user, self.password = username, password
        reply = None
        for mechanism in self._usable_mechanisms():
            reply = self._try(mechanism)
            if reply[0] not in TRY_ANOTHER:
                break
        if reply is None:
            raise smtplib.SMTPNotSupportedError("No mechanism in common.")
        return reply

    def _usable_mechanisms(self) -> list[str]:
        offered = self.offered_mechanisms()
        known = MECHANISMS if self.credentials_are_ascii() else MECHANISMS_OF_UTF8
        return [mechanism for mechanism in known if mechanism in offered]

    def authenticate_by_token(self, username: str, token: str) -> tuple[int, bytes]:
        """Log in by an access token; `challenge` holds why it was refused, if said."""
        mechanism = self.token_mechanism()
        if mechanism is None:
            raise smtplib.SMTPNotSupportedError("No mechanism in common.")
        host, port = self.peer_name
        answer, regret = {
            "XOAUTH2": (f"user={username}\1auth=Bearer {token}\1\1", ""),
            "OAUTHBEARER": (
                f"n,a={_sasl_name(username)},\1host={host}\1port={port}"
                f"\1auth=Bearer {token}\1\1",
                "\1",
            ),
        }[mechanism]
        reply = self._answer_first(mechanism, _b64(answer))
        self.challenge = b""
        if reply[0] == 334:
            # RFC 7628, 3.2.3: why not; the refusal itself follows a dummy answer.
            self.challenge = b64decode(reply[1], validate=True)
            reply = self.docmd(_b64(regret))
        return reply

    def token_mechanism(self) -> str | None:
        offered = self.offered_mechanisms()
        return next((each for each in TOKEN_MECHANISMS if each in offered), None)

    def _answer_first(self, mechanism: str, answer: str) -> tuple[int, bytes]:
        """Many a token is too long for the command's own line."""
        if len(f"AUTH {mechanism} {answer}\r\n") <= LONGEST_COMMAND:
            return self.docmd("AUTH", f"{mechanism} {answer}")
        reply = self.docmd("AUTH", mechanism)
        return self.docmd(answer) if reply[0] == 334 else reply

    def credentials_are_ascii(self) -> bool:
        return f"{self.user}{self.password}".isascii()

    def _try(self, mechanism: str) -> tuple[int, bytes]:
        if not self.credentials_are_ascii():
            return self._try_utf8(mechanism)
        methods = {"PLAIN": self.auth_plain, "LOGIN": self.auth_login}
        try:
            return self.auth(mechanism, methods.get(mechanism, self.auth_cram_md5))
        except smtplib.SMTPAuthenticationError as error:
            words = error.smtp_error
            return error.smtp_code, words.encode() if isinstance(words, str) else words

    def _try_utf8(self, mechanism: str) -> tuple[int, bytes]:
        if mechanism == "PLAIN":
            response = _b64(f"\0{self.user}\0{self.password}")
            return self.docmd("AUTH", f"PLAIN {response}")
        reply = self.docmd("AUTH", "LOGIN")
        for answer in (self.user, self.password):
            if reply[0] == 334:
                reply = self.docmd(_b64(answer))
        return reply


def _sasl_name(name: str) -> str:
    """RFC 5801, 4: these two have a meaning of their own there."""
    return name.replace("=", "=3D").replace(",", "=2C")


def _b64(text: str) -> str:
    return b64encode(text.encode()).decode()
