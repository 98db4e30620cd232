"""The smallest deliveries that the tests of SMTP begin with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

import pytest

from authconfig.choices import SmtpSecurity, StepState
from authconfig.trial import Step
from tests.support.scripted_smtp import ScriptedServer, scripted_server
from tests.support.smtp_servers import Server, smtp_server
from verification.mail.account import Account
from verification.mail.smtp import Connection, SmtpError, open_connection

SENDER, RECIPIENT = "site@example.com", "anna@example.com"
NONE = SmtpSecurity.NONE


def failed_opening(account: Account) -> SmtpError:
    """Return the error by which the account does not open, and see it reported."""
    steps: list[Step] = []
    with pytest.raises(SmtpError) as caught:
        open_connection(account, steps.append)
    error = caught.value
    last = steps[-1]
    assert (last.stage, last.state) == (error.stage, StepState.FAILED)
    assert last.words == error.words
    assert error.remedy
    assert not error.data_begun
    return error


def mail(text: str = "Hello.\n", to: str = RECIPIENT) -> EmailMessage:
    message = EmailMessage()
    message["From"] = Address("Zürich PBX", addr_spec=SENDER)
    message["To"] = to
    message["Subject"] = "Prüfung"
    message.set_content(text)
    return message


@contextmanager
def connected(**options: Any) -> Iterator[tuple[Server, Connection]]:
    options = {"security": NONE, "credentials": None} | options
    with (
        smtp_server(**options) as server,
        open_connection(server.account()) as connection,
    ):
        yield server, connection


@contextmanager
def scripted(**script: Any) -> Iterator[tuple[ScriptedServer, Connection]]:
    if "DOT" in script:
        script["."] = script.pop("DOT")
    with scripted_server(script) as server:
        account = server.account(reply_timeout=1, data_timeout=0.3)
        with open_connection(account) as connection:
            yield server, connection


def send(connection: Connection, **changes: Any) -> str:
    values = {"sender": SENDER, "recipient": RECIPIENT} | changes
    return connection.send(values.pop("message", mail()), **values)


def failed_sending(connection: Connection, **changes: Any) -> SmtpError:
    with pytest.raises(SmtpError) as caught:
        send(connection, **changes)
    assert caught.value.remedy
    return caught.value
