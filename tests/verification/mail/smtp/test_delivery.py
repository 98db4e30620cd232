"""Handing over an e-mail: what arrives, and to whom."""

from __future__ import annotations

import pytest

from authconfig.choices import SmtpSecurity
from authconfig.trial import Step
from tests.support.deliveries import (
    RECIPIENT,
    SENDER,
    connected,
    failed_sending,
    mail,
    scripted,
    send,
)
from tests.support.smtp_servers import smtp_server
from verification.mail.choices import SmtpStage as Stage
from verification.mail.smtp import open_connection

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
        assert "MAIL FROM:<site@example.com>" in server.lines


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
    ("role", "stage"),
    [("sender", Stage.MAIL_FROM), ("recipient", Stage.RCPT_TO)],
)
def test_foreign_mailbox_without_smtputf8_is_refused(role: str, stage: Stage) -> None:
    with connected(smtputf8=False) as (server, connection):
        error = failed_sending(connection, **{role: "jörg@example.com"})

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
        error = failed_sending(connection, **{role: address})

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
