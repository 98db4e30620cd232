"""From the server's name to a connection that is ready for an e-mail."""

from __future__ import annotations

import binascii
import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial

from cryptography import x509
from django.utils.translation import gettext as _

from authconfig import network
from authconfig.choices import SmtpSecurity, StepState
from authconfig.network import Deadline, SocketAddress, UnreachableError, readable
from verification.mail.choices import SmtpStage
from verification.mail.oauth2 import keeping
from verification.mail.oauth2.configuration import Configuration
from verification.mail.oauth2.faults import TokenError
from verification.mail.oauth2.keeping import AccessToken
from verification.mail.smtp.challenges import challenge_words
from verification.mail.smtp.client import MECHANISMS, Client
from verification.mail.smtp.conversation import Conversation
from verification.mail.smtp.errors import SmtpError
from verification.mail.smtp.faults import (
    SmtpFault,
    connecting_fault,
    fault_of,
    smtp_fault,
)
from verification.mail.smtp.wire_format import greeting_name

# A server without TLS greets at once; one with it says nothing before it is spoken to.
LOOK_SECONDS = 2.0


def open_conversation(talk: Conversation) -> None:
    if talk.account.oauth2:
        _open_by_token(talk, talk.account.oauth2)
    else:
        _greet_safely(talk)
        _log_in(talk)


def _greet_safely(talk: Conversation) -> None:
    security = talk.account.security
    _connect(talk, _resolve(talk))
    if security == SmtpSecurity.TLS:
        _encrypt(talk)
    _greet(talk, is_first=True)
    if security == SmtpSecurity.STARTTLS:
        _encrypt(talk)
        _greet(talk, is_first=False)
    if security == SmtpSecurity.NONE:
        talk.report(SmtpStage.TLS, StepState.SKIPPED)


def _resolve(talk: Conversation) -> list[SocketAddress]:
    account = talk.account
    with talk.stage(SmtpStage.RESOLVE) as found:
        try:
            limit = Deadline(account.connect_timeout)
            addresses = network.resolve(talk.host, account.port, limit)
        except (socket.gaierror, ValueError) as error:
            words = getattr(error, "strerror", None) or str(error)
            fault = SmtpFault.NAME_UNKNOWN
            raise talk.error(SmtpStage.RESOLVE, words, fault) from error
        found.append(", ".join(host for host, _port in addresses))
    return addresses


def _connect(talk: Conversation, addresses: list[SocketAddress]) -> None:
    account = talk.account

    def name_address(address: str) -> None:
        talk.report(SmtpStage.CONNECT, StepState.STARTED, address)

    with talk.stage(SmtpStage.CONNECT) as found:
        try:
            limit = Deadline(account.connect_timeout)
            sock = network.connect(addresses, limit, name_address)
        except UnreachableError as error:
            fault = connecting_fault(error)
            raise talk.error(SmtpStage.CONNECT, str(error), fault) from error
        name = greeting_name(account.client_host_name)
        talk.client = Client(sock, name, account.reply_timeout)
        found.append(str(sock.getpeername()[0]))


def _greet(talk: Conversation, *, is_first: bool) -> None:
    with talk.stage(SmtpStage.EHLO) as found:
        if is_first:
            talk.expect(SmtpStage.EHLO, talk.client.getreply(), 220)
        found.append(talk.expect(SmtpStage.EHLO, talk.client.ehlo(), 250))


def _encrypt(talk: Conversation) -> None:
    with talk.stage(SmtpStage.TLS) as found:
        context = _trust(talk)
        if talk.account.security == SmtpSecurity.STARTTLS:
            _start_tls(talk)
        address = _peer(talk.client)
        try:
            talk.client.encrypt(context, _certificate_name(talk))
        except ssl.SSLError as error:
            raise _tls_error(talk, error, address) from error
        assert isinstance(talk.client.sock, ssl.SSLSocket)
        found.append(network.describe(talk.client.sock))


def _trust(talk: Conversation) -> ssl.SSLContext:
    try:
        return network.verifying_context(talk.account.ca_certificate)
    except ValueError as error:
        raise talk.error(SmtpStage.TLS, str(error), SmtpFault.CA_UNREADABLE) from error


def _start_tls(talk: Conversation) -> None:
    """Ask for encryption; without it there is no delivery, never clear text."""
    client = talk.client
    if not client.has_extn("starttls"):
        words = _offers(" ".join(client.esmtp_features).upper())
        raise talk.error(SmtpStage.TLS, words, SmtpFault.NO_STARTTLS)
    talk.expect(SmtpStage.TLS, client.docmd("STARTTLS"), 220)


def _offers(what: str) -> str:
    return _("The server offers: %(offers)s") % {"offers": what or "-"}


def _peer(client: Client) -> SocketAddress:
    assert client.sock is not None
    host, port = client.sock.getpeername()[:2]
    return str(host), int(port)


def _certificate_name(talk: Conversation) -> str:
    return talk.host.rstrip(".")


def _tls_error(
    talk: Conversation, error: ssl.SSLError, address: SocketAddress
) -> SmtpError:
    fault = fault_of(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_error(talk, error, fault, address)
    if fault == SmtpFault.PLAIN_SERVER:
        if talk.account.security == SmtpSecurity.STARTTLS:
            fault = SmtpFault.TLS_FAILED
        elif refusal := _look_at_greeting(talk, address):
            return refusal
    return talk.error(SmtpStage.TLS, str(error), fault)


def _look_at_greeting(talk: Conversation, address: SocketAddress) -> SmtpError | None:
    """A server of TLS that has no place left says so in clear text, as Exim does."""
    with suppress(OSError):
        sock = socket.create_connection(address, talk.account.connect_timeout)
        with closing(Client(sock, "", LOOK_SECONDS)) as client:
            reply = client.getreply()
        try:
            talk.expect(SmtpStage.TLS, reply, 220)
        except SmtpError as error:
            return error if error.code else None
    return None


def _certificate_error(
    talk: Conversation,
    error: ssl.SSLCertVerificationError,
    fault: SmtpFault,
    address: SocketAddress,
) -> SmtpError:
    certificate = _look_at_certificate(talk, address)
    if certificate is None:
        return talk.error(SmtpStage.TLS, error.verify_message, fault, issuer="?")
    words = f"{error.verify_message}: {network.certificate_words(certificate)}"
    issuer = readable(network.common_name(certificate.issuer))
    return talk.error(SmtpStage.TLS, words, fault, issuer=issuer)


def _look_at_certificate(
    talk: Conversation, address: SocketAddress
) -> x509.Certificate | None:
    """Connect anew for a look: a failed handshake does not show the certificate."""
    account = talk.account
    with suppress(OSError, ValueError):
        sock = socket.create_connection(address, account.connect_timeout)
        name = greeting_name(account.client_host_name)
        with closing(Client(sock, name, account.reply_timeout)) as client:
            if account.security == SmtpSecurity.STARTTLS:
                client.getreply()
                client.ehlo()
                client.docmd("STARTTLS")
            client.encrypt(network.looking_context(), _certificate_name(talk))
            assert isinstance(client.sock, ssl.SSLSocket)
            return network.certificate_of(client.sock)
    return None


def _log_in(talk: Conversation) -> None:
    if not talk.account.username:
        talk.report(SmtpStage.AUTH, StepState.SKIPPED)
        return
    with talk.stage(SmtpStage.AUTH) as found:
        sock = talk.client.sock
        assert sock is not None
        if not (isinstance(sock, ssl.SSLSocket) or network.is_loopback(sock)):
            words = _("The connection is not encrypted.")
            raise talk.error(SmtpStage.AUTH, words, SmtpFault.CLEAR_TEXT)
        if not talk.account.password:
            words = _("There is no password to log in with.")
            raise talk.error(SmtpStage.AUTH, words, SmtpFault.NO_PASSWORD)
        found.append(_authenticate(talk))


def _why_no_mechanism(client: Client) -> SmtpFault:
    known = set(client.offered_mechanisms()) & set(MECHANISMS)
    # It would do for other credentials.
    return SmtpFault.BEYOND_ASCII if known else SmtpFault.NO_MECHANISM


def _authenticate(talk: Conversation) -> str:
    client, account = talk.client, talk.account
    try:
        reply = client.authenticate(account.username, account.password)
    except smtplib.SMTPNotSupportedError as error:
        words = _offers(" ".join(client.offered_mechanisms()))
        raise talk.error(SmtpStage.AUTH, words, _why_no_mechanism(client)) from error
    except binascii.Error as error:  # the challenge was no base64
        raise talk.error(SmtpStage.AUTH, str(error), SmtpFault.NOT_SMTP) from error
    return talk.expect(SmtpStage.AUTH, reply, 235)


def _open_by_token(talk: Conversation, oauth2: Configuration) -> None:
    """If the server refuses a token that has ended, log in by a newer one at once."""
    fetch = keeping.fresh_token if talk.account.renews_token else keeping.token_for
    token = _fetch_token(talk, oauth2, partial(fetch, oauth2))
    _greet_safely(talk)
    try:
        _log_in_by_token(talk, oauth2, token)
    except SmtpError as error:
        if not (error.code and error.permanent):
            raise
        newer = _fetch_token(talk, oauth2, partial(keeping.newer_token, oauth2, token))
        if newer == token:
            raise
        if not talk.client.is_usable:
            talk.client.close()
            _greet_safely(talk)
        _log_in_by_token(talk, oauth2, newer)


def _fetch_token(
    talk: Conversation, oauth2: Configuration, fetch: Callable[[], AccessToken]
) -> AccessToken:
    with talk.stage(SmtpStage.TOKEN) as found:
        try:
            token = fetch()
        except TokenError as error:
            fault = smtp_fault(error.fault)
            raise talk.error(SmtpStage.TOKEN, error.words, fault) from None
        found.append(keeping.words_of(oauth2, token))
    return token


def _log_in_by_token(
    talk: Conversation, oauth2: Configuration, token: AccessToken
) -> None:
    talk.token = token
    with talk.stage(SmtpStage.AUTH) as found:
        # Unlike a password, not even on this machine (RFC 7628, 4).
        if not isinstance(talk.client.sock, ssl.SSLSocket):
            words = _("The connection is not encrypted.")
            raise talk.error(SmtpStage.AUTH, words, SmtpFault.CLEAR_TEXT)
        found.append(_authenticate_by_token(talk, token))
    keeping.note_taken(oauth2, token)


def _authenticate_by_token(talk: Conversation, token: AccessToken) -> str:
    client = talk.client
    client.peer_name = (talk.host, talk.account.port)
    try:
        reply = client.authenticate_by_token(talk.account.username, token.token)
    except smtplib.SMTPNotSupportedError as error:
        words = _offers(" ".join(client.offered_mechanisms()))
        fault = SmtpFault.NO_TOKEN_MECHANISM
        raise talk.error(SmtpStage.AUTH, words, fault) from error
    except binascii.Error as error:  # the challenge was no base64
        raise talk.error(SmtpStage.AUTH, str(error), SmtpFault.NOT_SMTP) from error
    code, text = reply
    said = challenge_words(client.challenge).encode()
    return talk.expect(SmtpStage.AUTH, (code, text + said), 235)
