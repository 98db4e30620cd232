"""What stands in the headers, whatever letters the addresses have."""

from __future__ import annotations

import pytest

from authconfig.choices import SmtpSecurity
from tests.smtp_servers import Mail, smtp_server
from verification.mails import test_message as render_test
from verification.models import AccountTest
from verification.smtp import open_connection

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
