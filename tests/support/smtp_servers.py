"""Real SMTP servers on this machine, told what to refuse."""

from __future__ import annotations

import asyncio
import hmac
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from authconfig.choices import SmtpSecurity
from tests.support.certificates import Authority, make_authority

if TYPE_CHECKING:
    from verification.mail.account import Account

LIMIT = 10.0  # seconds for whatever a server does to start or to end
CREDENTIALS = ("site@example.com", "correct horse")
LARGE = 20_000  # bytes: more than a mail without an attachment has
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")


@dataclass(frozen=True)
class Mail:
    sender: str
    recipient: str
    options: list[str]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        message = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message


@dataclass
class Server:
    """What it shall say may be changed while it runs; None is what SMTP wants."""

    port: int = 0
    host: str = "localhost"
    security: SmtpSecurity = SmtpSecurity.STARTTLS
    ca_pem: str = ""
    credentials: tuple[str, str] | None = None
    hidden_extensions: Sequence[str] = ()
    refuse_login: str | None = None
    refuse_sender: str | None = None
    refuse_recipient: str | None = None
    refuse_content: str | None = None
    # Where a mail is larger than LARGE: at MAIL, by the size that it names, or at last.
    refuse_large_sender: str | None = None
    refuse_large_content: str | None = None
    before_reply: Callable[[], None] | None = None

    mails: list[Mail] = field(default_factory=list)
    greeting_names: list[str] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    connections: int = 0

    def account(self, **changes: Any) -> Account:
        """Return an account with which this server accepts everything."""
        username, password = self.credentials or ("", "")
        # Those who only want a server have set up no Django.
        from verification.mail.account import Account  # noqa: PLC0415

        account = Account(
            server=self.host,
            port=self.port,
            security=self.security,
            email_address="site@example.com",
            username=username,
            password=password,
            ca_certificate=self.ca_pem,
            connect_timeout=5,
            reply_timeout=5,
            data_timeout=5,
        )
        return replace(account, **changes)


class _Handler:
    """aiosmtpd calls these methods; their names are its own."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def handle_EHLO(
        self,
        smtp: SMTP,
        session: Session,
        envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        self.server.greeting_names.append(hostname)
        hidden = {name.upper() for name in self.server.hidden_extensions}
        if self.server.credentials is None:
            hidden.add("AUTH")
        return [line for line in responses if line[4:].split(" ")[0] not in hidden]

    async def handle_MAIL(
        self,
        smtp: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if self.server.credentials and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if self.server.refuse_sender:
            return self.server.refuse_sender
        size = next((int(o[5:]) for o in options if o.startswith("SIZE=")), 0)
        if self.server.refuse_large_sender and size > LARGE:
            return self.server.refuse_large_sender
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Sender OK"

    async def handle_RCPT(
        self,
        smtp: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if self.server.refuse_recipient:
            return self.server.refuse_recipient
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient OK"

    async def handle_DATA(
        self, smtp: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.server.refuse_content:
            return self.server.refuse_content
        assert isinstance(envelope.content, bytes)
        if self.server.refuse_large_content and len(envelope.content) > LARGE:
            return self.server.refuse_large_content
        for recipient in envelope.rcpt_tos:
            self.server.mails.append(
                Mail(
                    envelope.mail_from or "",
                    recipient,
                    envelope.mail_options,
                    envelope.content,
                )
            )
        if self.server.before_reply:
            await asyncio.to_thread(self.server.before_reply)
        return "250 2.0.0 Taken over"

    async def auth_CRAM__MD5(self, smtp: SMTP, args: list[str]) -> AuthResult:
        challenge = b"<4711.1@localhost>"
        answer = await smtp.challenge_auth(challenge)
        assert isinstance(answer, bytes)
        username, password = self.server.credentials or ("", "")
        digest = hmac.new(password.encode(), challenge, "md5").hexdigest()
        is_right = answer == f"{username} {digest}".encode()
        return self._judge(username, "CRAM-MD5", is_right=is_right)

    def authenticate(
        self,
        smtp: SMTP,
        session: Session,
        envelope: Envelope,
        mechanism: str,
        login: LoginPassword,
    ) -> AuthResult:
        given = (login.login.decode(), login.password.decode())
        is_right = given == self.server.credentials
        return self._judge(given[0], mechanism, is_right=is_right)

    def _judge(self, username: str, mechanism: str, *, is_right: bool) -> AuthResult:
        self.server.logins.append((mechanism, username))
        message = self.server.refuse_login
        if is_right and not message:
            return AuthResult(success=True)
        # With handled=False aiosmtpd says the message, or its own 535.
        return AuthResult(success=False, handled=False, message=message)


@contextmanager
def smtp_server(
    security: SmtpSecurity = SmtpSecurity.STARTTLS,
    *,
    credentials: tuple[str, str] | None = CREDENTIALS,
    mechanisms: Sequence[str] = MECHANISMS,
    authority: Authority | None = None,
    context: ssl.SSLContext | None = None,
    size_limit: int | None = None,
    smtputf8: bool = True,
    address: str = "127.0.0.1",
    **behaviour: Any,
) -> Iterator[Server]:
    """Run aiosmtpd; `behaviour` are fields of `Server`.

    `context` is for a certificate that is not as it should be.
    """
    authority = authority or make_authority()
    server = Server(security=security, credentials=credentials, **behaviour)
    if security != SmtpSecurity.NONE:
        context = context or authority.server_context()
        server.ca_pem = authority.ca_pem
    handler = _Handler(server)
    options = {
        "hostname": "smtp.test",
        "tls_context": context if security == SmtpSecurity.STARTTLS else None,
        "require_starttls": security == SmtpSecurity.STARTTLS,
        "authenticator": handler.authenticate,
        "auth_require_tls": security == SmtpSecurity.STARTTLS,
        "auth_exclude_mechanism": [m for m in MECHANISMS if m not in mechanisms],
        "data_size_limit": size_limit,
        "enable_SMTPUTF8": smtputf8,
        "timeout": 60,
    }
    tls = context if security == SmtpSecurity.TLS else None
    with _served(partial(_protocol, server, handler, options), address, tls) as port:
        server.port = port
        yield server


def _protocol(server: Server, handler: _Handler, options: dict[str, Any]) -> SMTP:
    server.connections += 1
    return SMTP(handler, **options)


@contextmanager
def _served(
    factory: Callable[[], SMTP], address: str, tls: ssl.SSLContext | None
) -> Iterator[int]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(LIMIT)

    protocols: list[SMTP] = []

    def remember() -> SMTP:
        protocols.append(factory())
        return protocols[-1]

    server = run(loop.create_server(remember, address, 0, ssl=tls))
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        run(_end(server, protocols))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(LIMIT)
        loop.close()


async def _end(server: asyncio.Server, protocols: list[SMTP]) -> None:
    server.close()
    for protocol in protocols:
        # Early 3.11 fails to abort a TLS transport that has closed by itself.
        if protocol.transport and not protocol.transport.is_closing():
            protocol.transport.abort()
    others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)  # the transports say goodbye in the next turn
