"""What stands in the headers, whatever letters the addresses have."""

from __future__ import annotations

from typing import Any

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from authconfig.choices import SmtpSecurity
from authconfig.models import PbxUser, current_settings
from tests.smtp_servers import Mail, smtp_server
from verification import wording
from verification.mails import BOUNDARY, message_of
from verification.mails import test_message as render_test
from verification.models import AccountTest, OutgoingEmail
from verification.smtp import open_connection
from verification.smtp_accounts import account_of

SENDER_NAME = 'Jörg "PBX", Zürich'


def arrived(sender: str, recipient: str, **options: bool) -> Mail:
    """Send a test e-mail to a real server and return what it received."""
    with smtp_server(SmtpSecurity.NONE, credentials=None, **options) as server:
        account = server.account(email_address=sender, sender_name=SENDER_NAME)
        message = render_test(AccountTest(recipient=recipient, language="en"), account)
        with open_connection(account) as connection:
            connection.send(message, sender=sender, recipient=recipient)
        return server.mails[0]


@pytest.mark.parametrize(
    ("sender", "recipient"),
    [
        ("site@example.com", "anna@example.com"),
        ("site@bücher.example", "anna@bücher.example"),
        ('"the site"@example.com', "o'neil+pbx@example.com"),
    ],
)
def test_headers_name_the_addresses_in_ascii(sender: str, recipient: str) -> None:
    message = arrived(sender, recipient, smtputf8=False).message

    ascii_form = {"bücher.example": "xn--bcher-kva.example"}
    for header, address in (("From", sender), ("To", recipient)):
        local, _at, domain = address.rpartition("@")
        [found] = message[header].addresses
        assert found.addr_spec == f"{local}@{ascii_form.get(domain, domain)}"


def test_sender_name_arrives_with_its_letters_and_quotes() -> None:
    message = arrived("site@example.com", "anna@example.com").message

    assert message["From"].addresses[0].display_name == SENDER_NAME


def test_message_id_of_an_idn_sender_is_ascii() -> None:
    message = arrived("site@bücher.example", "anna@example.com").message

    assert message["Message-ID"].endswith("@xn--bcher-kva.example>")


@pytest.mark.parametrize(
    ("sender", "recipient", "header"),
    [
        ("jörg@bücher.example", "anna@example.com", "<jörg@xn--bcher-kva.example>"),
        ("site@example.com", "jörg@example.com", "To: jörg@example.com"),
    ],
)
def test_letters_before_the_at_sign_arrive_by_smtputf8(
    sender: str, recipient: str, header: str
) -> None:
    mail = arrived(sender, recipient)

    assert "SMTPUTF8" in mail.options
    assert header.encode() in mail.content


def texts(mail: OutgoingEmail) -> list[str]:
    message = message_of(mail, account_of(current_settings()))
    bodies = [message.get_body((kind,)) for kind in ("plain", "html")]
    return [str(message["Subject"]), *(b.get_content() for b in bodies if b)]


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("name", ["anna", "<b>Anna & 'Co'</b>", "\ue000link\ue001"])
def test_a_merged_mail_is_the_same_as_a_rendered_one(
    mail: OutgoingEmail, monkeypatch: pytest.MonkeyPatch, language: str, name: str
) -> None:
    def render(template: str, context: dict[str, Any]) -> str:
        return render_to_string(template, context)

    mail.language = language
    assert mail.login
    mail.login.user.name = name
    merged = texts(mail)

    monkeypatch.setattr("verification.mails.render", render)
    monkeypatch.setattr("verification.mails.link_token", lambda login: "token")
    rendered = texts(mail)
    monkeypatch.setattr("verification.mails.render", wording.render)

    assert texts(mail) == rendered
    assert merged[0] == rendered[0]


def test_nothing_of_a_mail_is_left_for_the_next_one(
    mail: OutgoingEmail, user: PbxUser
) -> None:
    first = texts(mail)
    mail.recipient, mail.login.user.name = "bert@example.com", "bert"  # type: ignore[union-attr]

    assert any("anna" in text for text in first)
    assert not any("anna" in text for text in texts(mail))


def test_a_name_that_is_a_boundary_ends_no_part(mail: OutgoingEmail) -> None:
    assert mail.login
    mail.login.user.name = f"--{BOUNDARY}"

    message = message_of(mail, account_of(current_settings()))

    assert message.get_boundary() != BOUNDARY
    assert [part.get_content_type() for part in message.iter_parts()] == [
        "text/plain",
        "text/html",
    ]


def test_a_line_too_long_for_smtp_is_broken(mail: OutgoingEmail) -> None:
    with translation.override("en"):
        assert mail.login
        mail.login.user.name = "ä" * 600
        message = message_of(mail, account_of(current_settings()))

    longest = max(map(len, message.as_bytes().splitlines()))
    assert longest <= 998
