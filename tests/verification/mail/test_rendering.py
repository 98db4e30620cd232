"""What stands in the headers, whatever letters the addresses have."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage

import pytest
import time_machine
from django.utils import translation

from authconfig.choices import SmtpSecurity
from authconfig.models import current_rules
from authconfig.users.models import PbxUser
from tests.support.smtp_servers import Mail, smtp_server
from verification.mail import rendering
from verification.mail.account import account_of
from verification.mail.account_trial import trial_message
from verification.mail.fast import merge
from verification.mail.fast.merge import BOUNDARY
from verification.mail.models import AccountTrial, OutgoingEmail
from verification.mail.rendering import render_mail
from verification.mail.smtp import open_connection
from verification.mail.smtp.wire_format import wire_policy

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
SENDER_NAME = 'Jörg "PBX", Zürich'


def arrived(sender: str, recipient: str, **options: bool) -> Mail:
    """Send a test e-mail to a real server and return what it received."""
    with smtp_server(SmtpSecurity.NONE, credentials=None, **options) as server:
        account = server.account(email_address=sender, sender_name=SENDER_NAME)
        trial = AccountTrial(recipient=recipient, language="en")
        message = trial_message(trial, account)
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


@pytest.mark.parametrize("padding", ["", "x" * 80], ids=["one line", "folded"])
def test_a_subject_that_looks_encoded_reads_as_it_stands(
    monkeypatch: pytest.MonkeyPatch, padding: str
) -> None:
    monkeypatch.setattr(rendering.settings, "SITE_NAME", f"=?utf-8?q?E=76e?={padding}")

    message = arrived("site@example.com", "anna@example.com").message

    assert "utf-8?q?E=76e?" in message["Subject"]


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
    message = render_mail(mail, account_of(current_rules())).whole()
    bodies = [message.get_body((kind,)) for kind in ("plain", "html")]
    return [str(message["Subject"]), *(b.get_content() for b in bodies if b)]


NAMES = {
    "plain": "anna",
    "not ASCII": "Jörg Müller",
    "HTML": "<b>Anna & 'Co'</b>",
    "lines": "anna\n.\nRSET",
    "a space that is none": "anna\N{NO-BREAK SPACE}berg",
    "a mark": "\ue000link\ue001",
    "a mark of HTML": "\ue000link\ue002\ue001",
    "boundary": f"--{BOUNDARY}",
    "long": "ä" * 600,
    "empty": "",
}


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("eight_bit", [True, False], ids=["8 bits", "7 bits"])
def test_a_merged_mail_is_to_the_byte_what_the_library_makes(
    mail: OutgoingEmail,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    name: str,
    eight_bit: bool,
) -> None:
    mail.language = language
    mail.user.name = name
    policy = wire_policy(smtputf8=False, eight_bit=eight_bit)
    with time_machine.travel(NOW, tick=False):
        merged = render_mail(mail, account_of(current_rules()))
        monkeypatch.setattr(merge, "is_plain", lambda context: False)
        rendered = render_mail(mail, account_of(current_rules()))

    content = merged.as_bytes(policy=policy)
    message = message_from_bytes(content, policy=policy)
    [text, html] = message.iter_parts()

    assert without_boundary(content) == without_boundary(
        rendered.whole().as_bytes(policy=policy)
    )
    assert not message.defects + text.defects + html.defects
    assert name in text.get_content().replace("\r\n", "\n")
    assert max(map(len, content.splitlines())) <= 998


def without_boundary(content: bytes) -> bytes:
    """A boundary of the library's own is another one each time."""
    return re.sub(rb"={15}\d+==", b"boundary", content)


def test_the_body_of_a_verification_email_is_laid_out_once(
    mail: OutgoingEmail, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = render_mail(mail, account_of(current_rules())).as_bytes()
    monkeypatch.setattr(EmailMessage, "set_content", None)

    assert render_mail(mail, account_of(current_rules())).as_bytes() == first


def test_nothing_of_a_mail_is_left_for_the_next_one(
    mail: OutgoingEmail, user: PbxUser
) -> None:
    first = texts(mail)
    mail.recipient, mail.user.name = "bert@example.com", "bert"

    assert any("anna" in text for text in first)
    assert not any("anna" in text for text in texts(mail))


def test_each_mail_shows_its_own_minute_in_its_readers_zone_and_language(
    mail: OutgoingEmail,
) -> None:
    login = mail.login_mail.login
    shown = []
    for zone, language, minute in (
        ("Europe/Berlin", "en", 0),
        ("America/New_York", "en", 0),
        ("America/New_York", "de", 0),
        ("America/New_York", "de", 1),
    ):
        mail.user.time_zone, mail.language = zone, language
        login.created_at = NOW.replace(minute=minute, second=59)
        shown.append(texts(mail)[1])

    times = (
        *("2026-11-24 13:00 CET", "2026-11-24 07:00 EST"),
        *("24.11.2026 07:00 EST", "24.11.2026 07:01 EST"),
    )
    for text, time in zip(shown, times, strict=True):
        assert time in text


def test_a_name_that_is_a_boundary_ends_no_part(mail: OutgoingEmail) -> None:
    mail.user.name = f"--{BOUNDARY}"

    message = render_mail(mail, account_of(current_rules())).whole()

    assert message.get_boundary() != BOUNDARY
    assert [part.get_content_type() for part in message.iter_parts()] == [
        "text/plain",
        "text/html",
    ]


def test_a_line_too_long_for_smtp_is_broken(mail: OutgoingEmail) -> None:
    with translation.override("en"):
        mail.user.name = "ä" * 600
        message = render_mail(mail, account_of(current_rules())).whole()

    longest = max(map(len, message.as_bytes().splitlines()))
    assert longest <= 998
