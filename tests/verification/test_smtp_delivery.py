"""Handing over an e-mail: what arrives, what is refused, and what stays unknown."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.headerregistry import Address
from email.message import EmailMessage
from types import FrameType
from typing import Any

import pytest

from authconfig.choices import SmtpSecurity
from tests.scripted_smtp import (
    ScriptedServer,
    drip,
    hang_up,
    scripted_server,
    stay_silent,
)
from tests.smtp_servers import Server, smtp_server
from verification.smtp import (
    Connection,
    SmtpError,
    Stage,
    Step,
    StepState,
    open_connection,
)

SENDER, RECIPIENT = "site@example.com", "anna@example.com"
NONE = SmtpSecurity.NONE


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


def failure(connection: Connection, **changes: Any) -> SmtpError:
    with pytest.raises(SmtpError) as caught:
        send(connection, **changes)
    assert caught.value.remedy
    return caught.value


# What arrives


@pytest.mark.parametrize("security", SmtpSecurity)
def test_mail_arrives_as_it_was_written(security: SmtpSecurity) -> None:
    with smtp_server(security) as server:
        with open_connection(server.account()) as connection:
            words = send(connection)

        [arrived] = server.mails
    assert words == "250 2.0.0 Taken over"
    assert (arrived.sender, arrived.recipient) == (SENDER, RECIPIENT)
    assert arrived.message["Subject"] == "Prüfung"
    assert arrived.message["From"].addresses[0].display_name == "Zürich PBX"
    assert arrived.message.get_content() == "Hello.\r\n"


@pytest.mark.parametrize(
    "text", [".\n", "..\n", "a\n.\nMAIL FROM:<b@example.com>\n", "a\n\n.b\n", "ä\n.\n"]
)
def test_dots_at_the_start_of_a_line_arrive(text: str) -> None:
    with connected() as (server, connection):
        send(connection, message=mail(text))

        [arrived] = server.mails
    assert arrived.message.get_content() == text.replace("\n", "\r\n")


@pytest.mark.parametrize("end", ["\r.\r", "\n.\r", "\r.\n"])
def test_lone_line_ends_cannot_smuggle_a_second_mail(end: str) -> None:
    text = f"a{end}MAIL FROM:<b@example.com>\r\n"
    with scripted() as (server, connection):
        send(connection, message=mail(text))

        [body] = server.bodies
    assert body.count(b"\n") == body.count(b"\r") == body.count(b"\r\n")
    assert b"\r\n.\r\n" not in body


def test_several_mails_go_over_one_connection() -> None:
    with connected() as (server, connection):
        for _number in range(3):
            send(connection)
            assert connection.is_alive()

        assert (len(server.mails), server.connections) == (3, 1)


def test_stages_of_a_delivery_are_reported() -> None:
    steps: list[Step] = []
    with connected() as (_server, connection):
        send(connection, progress=steps.append)

    assert [(step.stage, step.state.value) for step in steps] == [
        (stage, state)
        for stage in (Stage.MAIL_FROM, Stage.RCPT_TO, Stage.DATA)
        for state in ("started", "done")
    ]
    assert steps[-1].words == "250 2.0.0 Taken over"


def test_server_without_8bitmime_gets_seven_bits() -> None:
    with scripted(EHLO=b"250 scripted\r\n") as (server, connection):
        send(connection, message=mail("Grüße\n"))

        assert server.bodies[0].isascii()
        assert "mail FROM:<site@example.com>" in server.lines


def test_server_with_8bitmime_is_told_of_eight_bits() -> None:
    with connected() as (server, connection):
        send(connection, message=mail("Grüße\n"))

        assert server.mails[0].options == ["BODY=8BITMIME"]


# Addresses


def test_idn_domains_travel_as_a_labels() -> None:
    recipient = "anna@bücher.example"
    with connected(hidden_extensions=["SMTPUTF8"]) as (server, connection):
        message = mail(to=f"Anna Bücher <{recipient}>")
        send(connection, message=message, recipient=recipient)

        [arrived] = server.mails
    assert arrived.recipient == "anna@xn--bcher-kva.example"
    [to] = arrived.message["To"].addresses
    assert (to.display_name, to.addr_spec) == ("Anna Bücher", arrived.recipient)
    assert message["To"] == f"Anna Bücher <{recipient}>"


def test_foreign_mailbox_goes_by_smtputf8() -> None:
    recipient = "jörg@bücher.example"
    with connected() as (server, connection):
        send(connection, message=mail(to=recipient), recipient=recipient)
        send(connection)

        foreign, plain = server.mails
    assert foreign.recipient == "jörg@xn--bcher-kva.example"
    assert "SMTPUTF8" in foreign.options
    assert "To: jörg@xn--bcher-kva.example".encode() in foreign.content
    assert "SMTPUTF8" not in plain.options


@pytest.mark.parametrize(
    ("role", "stage"), [("sender", Stage.MAIL_FROM), ("recipient", Stage.RCPT_TO)]
)
def test_foreign_mailbox_without_smtputf8_is_refused(role: str, stage: Stage) -> None:
    with connected(smtputf8=False) as (server, connection):
        error = failure(connection, **{role: "jörg@example.com"})

        assert server.mails == []
        assert send(connection)
    assert (error.stage, error.code, error.permanent) == (stage, None, True)
    assert "before the @" in error.remedy


@pytest.mark.parametrize("role", ["sender", "recipient"])
@pytest.mark.parametrize(
    "address",
    ["", "anna", "@example.com", "anna@", "a,b@example.com", "a b@example.com",
     "<a@example.com>", "A <a@example.com>", "a@ä ö", "a@b@example.com"],
)  # fmt: skip
def test_what_is_no_address_is_refused(role: str, address: str) -> None:
    with connected() as (server, connection):
        error = failure(connection, **{role: address})

        assert server.mails == []
    assert (error.code, error.permanent) == (None, True)
    assert "not an e-mail address" in error.remedy


@pytest.mark.parametrize(
    "address",
    ["o'neil+pbx@example.com", '"a b"@example.com', "anna@[127.0.0.1]", "a@localhost"],
)
def test_unusual_addresses_travel_unchanged(address: str) -> None:
    with connected() as (server, connection):
        send(connection, recipient=address)

        assert server.mails[0].recipient == address


@pytest.mark.parametrize("role", ["sender", "recipient"])
@pytest.mark.parametrize("char", ["\r", "\n", "\0"])
def test_control_characters_in_an_address_are_an_error(role: str, char: str) -> None:
    with connected() as (_server, connection):
        with pytest.raises(ValueError, match="CR, LF or NUL"):
            send(connection, **{role: f"anna@example.com{char}"})

        assert connection.is_alive()


# Refusals

REFUSALS = [
    ("MAIL", "550 5.7.60 Not allowed to send as this", True, "sender"),
    ("MAIL", "553 5.1.8 Sender rejected", True, "sender"),
    ("MAIL", "530 5.7.0 Authentication required", True, "login first"),
    ("MAIL", "552 5.3.4 Too large", True, "too large"),
    ("MAIL", "421 4.3.2 Closing", False, "some minutes"),
    ("MAIL", "451 4.3.0 Try later", False, "some minutes"),
    ("RCPT", "550 5.1.1 No such user", True, "recipient"),
    ("RCPT", "553 5.1.3 Bad address", True, "recipient"),
    ("RCPT", "551 5.1.6 Moved", True, "recipient"),
    ("RCPT", "450 4.7.1 Greylisted", False, "some minutes"),
    ("RCPT", "454 4.7.1 Not now", False, "some minutes"),
    ("RCPT", "552 5.2.2 Mailbox full", False, "full"),
    ("RCPT", "550 4.7.1 Contradicts itself", False, "some minutes"),
    ("DATA", "554 5.5.1 No valid recipients", True, "refused the e-mail"),
    ("DOT", "554 5.7.1 Spam", True, "as spam"),
    ("DOT", "552 5.3.4 Too large", True, "too large"),
    ("DOT", "452 4.3.1 No space", False, "some minutes"),
]
STAGES = {"MAIL": Stage.MAIL_FROM, "RCPT": Stage.RCPT_TO}


@pytest.mark.parametrize(("verb", "reply", "is_permanent", "word"), REFUSALS)
def test_refusal_says_what_to_do(
    verb: str, reply: str, is_permanent: bool, word: str
) -> None:
    steps: list[Step] = []
    with scripted(**{verb: f"{reply}\r\n".encode()}) as (_server, connection):
        error = failure(connection, progress=steps.append)

    assert error.stage == STAGES.get(verb, Stage.DATA)
    assert (error.words, error.permanent) == (reply, is_permanent)
    assert [str(error.code), error.enhanced] == reply.split()[:2]
    assert (error.data_begun, error.outcome_unknown) == (verb == "DOT", False)
    assert word in error.remedy
    assert (steps[-1].state, steps[-1].words) == (StepState.FAILED, reply)


@pytest.mark.parametrize("what", ["sender", "recipient", "content"])
def test_connection_is_usable_after_a_refusal(what: str) -> None:
    with connected(**{f"refuse_{what}": "550 5.0.0 No"}) as (server, connection):
        failure(connection)
        setattr(server, f"refuse_{what}", None)
        send(connection)

        assert (len(server.mails), server.connections) == (1, 1)


def test_mail_beyond_the_size_limit_is_refused_before_it_is_sent() -> None:
    with connected(size_limit=2000) as (_server, connection):
        error = failure(connection, message=mail("x" * 70 + "\n" * 3000))

    assert (error.stage, error.code, error.permanent) == (Stage.MAIL_FROM, 552, True)
    assert not error.data_begun


# The moment before DATA


def test_before_data_runs_when_the_recipient_is_accepted() -> None:
    seen: list[list[str]] = []
    with scripted() as (server, connection):
        send(connection, before_data=lambda: seen.append(list(server.verbs)))

    assert seen == [["EHLO", "MAIL", "RCPT"]]


@pytest.mark.parametrize("verb", ["MAIL", "RCPT"])
def test_before_data_does_not_run_after_a_refusal(verb: str) -> None:
    called: list[str] = []
    with scripted(**{verb: b"550 No\r\n"}) as (_server, connection):
        failure(connection, before_data=lambda: called.append("called"))

    assert called == []


@pytest.mark.parametrize("kind", [RuntimeError, OSError, KeyboardInterrupt])
def test_what_before_data_raises_ends_the_delivery_unchanged(
    kind: type[BaseException],
) -> None:
    def lose_the_claim() -> None:
        raise kind("lost")

    with scripted() as (server, connection):
        with pytest.raises(kind, match="lost"):
            send(connection, before_data=lose_the_claim)
        assert server.verbs[-2:] == ["RCPT", "RSET"]
        send(connection)

        assert len(server.bodies) == 1


# Lost connections


@pytest.mark.parametrize("end", [hang_up, stay_silent])
@pytest.mark.parametrize(
    ("verb", "data_begun", "outcome_unknown"),
    [("MAIL", False, False), ("DATA", False, False), ("DOT", True, True)],
)
def test_connection_lost_says_whether_the_outcome_is_known(
    verb: str, end: Any, data_begun: bool, outcome_unknown: bool
) -> None:
    with scripted(**{verb: end}) as (_server, connection):
        error = failure(connection)

        assert not connection.is_alive()
    assert (error.code, error.permanent) == (None, False)
    assert (error.data_begun, error.outcome_unknown) == (data_begun, outcome_unknown)


def test_mail_cut_off_before_its_end_was_surely_not_accepted() -> None:
    def read_a_little(connection: socket.socket) -> None:
        connection.sendall(b"354 Go ahead\r\n")
        connection.recv(1000)
        hang_up(connection)

    with scripted(DATA=read_a_little) as (_server, connection):
        error = failure(connection, message=mail(f"{'x' * 70}\n" * 200_000))

    assert (error.data_begun, error.outcome_unknown) == (True, False)


def test_garbage_instead_of_the_last_reply_leaves_the_outcome_unknown() -> None:
    with scripted(DOT=b"whatever\r\n") as (_server, connection):
        error = failure(connection)

    assert (error.code, error.permanent, error.outcome_unknown) == (None, False, True)


def test_last_reply_that_drips_has_a_limit() -> None:
    with scripted(DOT=drip(b"250-" * 99, 0.1)) as (_server, connection):
        began_at = time.monotonic()
        error = failure(connection)

    assert time.monotonic() - began_at < 2
    assert error.outcome_unknown


def test_connection_lost_after_the_last_reply_is_no_fault() -> None:
    with scripted(QUIT=hang_up) as (server, connection):
        assert send(connection) == "250 2.0.0 Taken over"
        connection.close()

        assert server.verbs[-1] == "QUIT"


def test_closing_has_a_limit_and_may_be_repeated() -> None:
    with scripted(QUIT=stay_silent) as (_server, connection):
        began_at = time.monotonic()
        connection.close()
        connection.close()

    assert time.monotonic() - began_at < 4


def test_server_that_says_goodbye_by_itself_is_not_alive() -> None:
    with scripted(NOOP=b"421 4.4.2 Idle too long\r\n") as (_server, connection):
        assert not connection.is_alive()


def test_delivery_interrupted_between_commands_is_taken_back() -> None:
    def interrupt(step: Step) -> None:
        if step.stage == Stage.DATA:
            raise KeyboardInterrupt

    with scripted() as (server, connection):
        with pytest.raises(KeyboardInterrupt):
            send(connection, progress=interrupt)

        assert server.verbs[-1] == "RSET"
        assert connection.is_alive()


class StoppedError(Exception):
    """Raised by a signal, as when a worker is told to stop."""


def test_delivery_interrupted_in_the_body_closes_the_connection() -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        raise StoppedError

    def send_signal(connection: socket.socket) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        stay_silent(connection)

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with scripted(DATA=send_signal) as (server, connection):
            with pytest.raises(StoppedError):
                send(connection)

            assert not connection.is_alive()
        assert server.verbs[-1] == "DATA"
    finally:
        signal.signal(signal.SIGUSR1, before)
