"""What the site and a server say to each other about a token."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

import pytest

from tests.support.certificates import Authority, make_authority
from tests.support.mail_provider import MAILBOX
from tests.support.scripted_smtp import ScriptedServer, scripted_server
from tests.support.scripted_tokens import TokenEndpoint, refusal, token
from verification.mail.smtp import SmtpError, open_connection
from verification.mail.smtp.challenges import challenge_words
from verification.mail.smtp.faults import SmtpFault

pytestmark = pytest.mark.django_db
# As Google says it (https://developers.google.com/workspace/gmail/imap/xoauth2-protocol).
GOOGLE = b'{"status":"401","schemes":"bearer mac","scope":"https://mail.google.com/"}'


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


def offering(*mechanisms: str) -> dict[str, bytes]:
    offers = f"250-scripted\r\n250-STARTTLS\r\n250 AUTH {' '.join(mechanisms)}\r\n"
    return {"EHLO": offers.encode()}


def account_at(
    server: ScriptedServer, endpoint: TokenEndpoint, authority: Authority, **more: Any
) -> Any:
    values: dict[str, Any] = {
        "server": "localhost",
        "security": "starttls",
        "username": MAILBOX,
        "ca_certificate": authority.ca_pem,
        "oauth2": endpoint.configuration(),
    }
    return server.account(**(values | more))


@pytest.mark.parametrize(
    ("mechanism", "answer"),
    [
        ("XOAUTH2", "user=pbx@example.com\1auth=Bearer token-1\1\1"),
        (
            "OAUTHBEARER",
            "n,a=pbx@example.com,\1host=localhost\1port={port}"
            "\1auth=Bearer token-1\1\1",
        ),
    ],
)
def test_the_login_is_as_the_standards_write_it(
    endpoint: TokenEndpoint, authority: Authority, mechanism: str, answer: str
) -> None:
    script = offering("LOGIN", mechanism)
    with scripted_server(script, context=authority.server_context()) as server:
        open_connection(account_at(server, endpoint, authority)).close()

    (login,) = [line for line in server.lines if line.startswith("AUTH")]
    verb, said, encoded = login.split()
    assert (verb, said) == ("AUTH", mechanism)
    assert b64decode(encoded).decode() == answer.format(port=server.port)


def test_a_long_token_waits_for_the_servers_leave(
    endpoint: TokenEndpoint, authority: Authority
) -> None:
    endpoint.answers = [token("long." * 100)]
    script = offering("XOAUTH2") | {"AUTH": b"334 \r\n"}
    with (
        scripted_server(script, context=authority.server_context()) as server,
        pytest.raises(SmtpError),
    ):
        open_connection(account_at(server, endpoint, authority))

    at = server.lines.index("AUTH XOAUTH2")
    assert b"long.long." in b64decode(server.lines[at + 1])
    assert max(len(line) for line in server.lines[: at + 1]) < 512


@pytest.mark.parametrize(
    ("mechanism", "regret"), [("XOAUTH2", b""), ("OAUTHBEARER", b"\1")]
)
def test_the_servers_reason_is_read_and_answered(
    endpoint: TokenEndpoint, authority: Authority, mechanism: str, regret: bytes
) -> None:
    refused = b"535-5.7.8 Username and Password not accepted.\r\n535 5.7.8 See Help\r\n"
    script = offering(mechanism)
    script["AUTH"] = b"334 " + b64encode(GOOGLE) + b"\r\n"
    script[b64encode(regret).decode().upper()] = refused
    with (
        scripted_server(script, context=authority.server_context()) as server,
        pytest.raises(SmtpError) as raised,
    ):
        open_connection(account_at(server, endpoint, authority))

    assert raised.value.code == 535
    assert raised.value.words.endswith(
        "(status 401, schemes bearer mac, scope https://mail.google.com/)"
    )
    assert server.lines[-2] == b64encode(regret).decode()


@pytest.mark.parametrize(
    ("challenge", "words"),
    [
        (GOOGLE, "status 401"),
        (b'{"status":"invalid_token"}', " (status invalid_token)"),
        (b"no JSON", ""),
        (b"[]", ""),
        (b"{}", ""),
        (b"", ""),
        (b'{"status":{"a":[1]}}', "status {'a': [1]}"),
        (b'{"scope":"' + b"x" * 5000 + b'"}', "scope xxx"),
    ],
)
def test_whatever_a_server_gives_as_its_reason_is_short(
    challenge: bytes, words: str
) -> None:
    found = challenge_words(challenge)

    assert words in found
    assert bool(found) == bool(words)
    assert len(found) < 400


@pytest.mark.parametrize("offered", ["PLAIN", "PLAIN LOGIN CRAM-MD5"])
def test_a_server_without_oauth2_gets_no_login(
    endpoint: TokenEndpoint, authority: Authority, offered: str
) -> None:
    script = offering(offered)
    with (
        scripted_server(script, context=authority.server_context()) as server,
        pytest.raises(SmtpError) as raised,
    ):
        open_connection(account_at(server, endpoint, authority))

    assert raised.value.fault is SmtpFault.NO_TOKEN_MECHANISM
    assert raised.value.words == f"The server offers: {offered}"
    assert "XOAUTH2" in raised.value.remedy
    assert "AUTH" not in server.verbs


def test_no_token_goes_over_a_connection_in_clear_text(
    endpoint: TokenEndpoint,
) -> None:
    """Not even to this machine, where a password may go."""
    with (
        scripted_server(offering("XOAUTH2")) as server,
        pytest.raises(SmtpError) as raised,
    ):
        open_connection(
            server.account(username=MAILBOX, oauth2=endpoint.configuration())
        )

    assert raised.value.fault is SmtpFault.CLEAR_TEXT
    assert "AUTH" not in server.verbs


def test_without_a_token_the_server_is_not_bothered(
    endpoint: TokenEndpoint, authority: Authority
) -> None:
    endpoint.answers = [refusal("invalid_grant", "Token has been expired or revoked.")]
    with (
        scripted_server(context=authority.server_context()) as server,
        pytest.raises(SmtpError) as raised,
    ):
        open_connection(account_at(server, endpoint, authority))

    assert (raised.value.stage, raised.value.permanent) == ("token", True)
    assert "expired or revoked" in raised.value.words
    assert not server.lines
