"""An SMTP server in a process of its own, which asks the driver at each step.

It writes down each Message-ID that it finally took, whoever hears of that.

python -m tests.harnesses.chaos.server --stage SOCKET --journal FILE
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import logging
import ssl
import time
from base64 import b64decode
from email import message_from_bytes
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.harnesses.chaos.steps import Action, Step
from tests.harnesses.chaos.tokens import opens

TAKEN = "250 2.0.0 Taken over"
BUSY = "451 4.3.0 Busy, come again"
LIMIT = 2**20


class DroppedError(ConnectionResetError):
    """The server hangs up; aiosmtpd takes it for a lost connection."""


class Stage:
    """The line to the driver: one question of each connection at a time."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader, self._writer = reader, writer
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def ask(self, step: Step, **facts: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]]
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._write({"number": number, "step": step, **facts})
        return await answer

    def tell(self, step: Step, **facts: Any) -> None:
        self._write({"step": step, **facts})

    def _write(self, words: dict[str, Any]) -> None:
        self._writer.write(json.dumps(words).encode() + b"\n")

    async def listen(self) -> None:
        """Hand on the driver's answers until it is gone."""
        while line := await self._reader.readline():
            answer = json.loads(line)
            waiting = self._waiting.pop(answer["number"])
            if not waiting.done():
                waiting.set_result(answer)


class Journal:
    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def take(self, content: bytes, recipient: str) -> None:
        message_id = str(message_from_bytes(content)["Message-ID"])
        self._file.write(f"{time.time()} {message_id.strip()} {recipient}\n")


class Connection(SMTP):
    """One client's; `port` is the client's own, by which the driver knows whose.

    With a key, only the provider's tokens open it; it is encrypted then.
    """

    def __init__(self, stage: Stage, journal: Journal, key: str) -> None:
        super().__init__(
            Handler(self, key),
            enable_SMTPUTF8=True,
            timeout=300,
            # It is encrypted from the start, of which aiosmtpd knows nothing.
            auth_require_tls=False,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
        )
        self.stage, self.journal = stage, journal

    # No property: aiosmtpd reads every attribute before there is a session.
    def port(self) -> int:
        assert self.session
        return int(self.session.peer[1])

    async def obey(self, step: Step, recipient: str = "") -> str | None:
        """Ask what to do; return the refusal to say, if any."""
        answer = await self.stage.ask(step, port=self.port(), recipient=recipient)
        await asyncio.sleep(answer.get("seconds", 0))
        if answer["action"] == Action.REFUSE:
            return BUSY
        if answer["action"] in (Action.DROP, Action.TAKE_AND_DROP):
            self.hang_up()
        return None

    def hang_up(self) -> None:
        if self.transport:
            self.transport.abort()
        raise DroppedError

    async def _handle_client(self) -> None:
        with contextlib.suppress(DroppedError):
            if refusal := await self.obey(Step.CONNECTED):
                await self.push(f"421 4.3.2 {refusal[4:]}")
                self.transport.close()
                return
            await super()._handle_client()

    async def smtp_DATA(self, arg: str) -> None:
        """DATA as it comes, and once more when its last reply went out."""
        recipients = self.envelope.rcpt_tos if self.envelope else []
        recipient = recipients[0] if recipients else ""
        if refusal := await self.obey(Step.DATA, recipient):
            await self.push(refusal)
            return
        await super().smtp_DATA(arg)
        answer = await self.stage.ask(
            Step.REPLIED, port=self.port(), recipient=recipient
        )
        if answer["action"] == Action.DROP and self.transport:
            # Unlike abort(), it lets the client read the reply first.
            self.transport.close()


class Handler:
    """aiosmtpd calls these methods; their names are its own."""

    def __init__(self, connection: Connection, key: str) -> None:
        self._connection, self._key = connection, key

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:
        said = b64decode(args[1]).decode()
        token = said.partition("auth=Bearer ")[2].rstrip("\1")
        if opens(self._key, token):
            return AuthResult(success=True)
        await server.challenge_auth(b'{"status":"401"}')
        # aiosmtpd then says its own 535.
        return AuthResult(success=False, handled=False)

    async def handle_MAIL(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if self._key and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if refusal := await self._connection.obey(Step.MAIL):
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Sender OK"

    async def handle_RCPT(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if refusal := await self._connection.obey(Step.RCPT, address):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient OK"

    async def handle_DATA(
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        connection = self._connection
        recipient = envelope.rcpt_tos[0]
        answer = await connection.stage.ask(
            Step.BODY, port=connection.port(), recipient=recipient
        )
        await asyncio.sleep(answer.get("seconds", 0))
        if answer["action"] == Action.REFUSE:
            return BUSY
        if answer["action"] == Action.DROP:
            connection.hang_up()
        assert isinstance(envelope.content, bytes)
        connection.journal.take(envelope.content, recipient)
        if answer["action"] == Action.TAKE_AND_DROP:
            connection.hang_up()
        return TAKEN

    async def handle_exception(self, error: Exception) -> str:
        if isinstance(error, DroppedError):
            raise error
        return f"451 4.3.0 {type(error).__name__}"


async def serve(stage_path: str, journal: Journal, pem: Path | None, key: str) -> None:
    reader, writer = await asyncio.open_unix_connection(stage_path, limit=LIMIT)
    stage = Stage(reader, writer)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(stage, journal, key), "127.0.0.1", 0, ssl=context_of(pem)
    )
    stage.tell(Step.LISTENS, port=server.sockets[0].getsockname()[1])
    await stage.listen()
    server.close()


def context_of(pem: Path | None) -> ssl.SSLContext | None:
    if pem is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--pem", type=Path)
    parser.add_argument("--key", default="")
    options = parser.parse_args()
    # aiosmtpd warns of itself at each login.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    journal = Journal(options.journal)
    asyncio.run(serve(options.stage, journal, options.pem, options.key))


if __name__ == "__main__":
    main()
