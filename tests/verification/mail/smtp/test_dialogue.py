"""Reaching a server, trusting it and logging in; each fault names its remedy."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from authconfig import network
from authconfig.choices import SmtpSecurity, StepState
from authconfig.network import Deadline
from authconfig.trial import Step
from tests.support.certificates import Authority, make_authority
from tests.support.deliveries import failed_opening
from tests.support.scripted_smtp import (
    Action,
    closed_port,
    drip,
    hang_up,
    scripted_server,
    stay_silent,
    then_silent,
)
from tests.support.smtp_servers import CREDENTIALS, smtp_server
from verification.mail.account import Account
from verification.mail.choices import SmtpStage as Stage
from verification.mail.smtp import open_connection

STARTTLS, TLS, NONE = SmtpSecurity.STARTTLS, SmtpSecurity.TLS, SmtpSecurity.NONE
OFFER_STARTTLS = b"250-scripted\r\n250 STARTTLS\r\n"
OFFER_PLAIN = b"250-scripted\r\n250 AUTH PLAIN\r\n"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


def stages(steps: list[Step], state: StepState) -> list[Stage]:
    return [step.stage for step in steps if step.state == state]


# The right account


@pytest.mark.parametrize("security", SmtpSecurity)
def test_right_account_logs_in(security: SmtpSecurity, authority: Authority) -> None:
    with smtp_server(security, authority=authority) as server:
        with open_connection(server.account()) as connection:
            assert connection.is_alive()

        assert server.logins == [("PLAIN", CREDENTIALS[0])]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_each_mechanism_logs_in(mechanism: str, authority: Authority) -> None:
    with smtp_server(mechanisms=[mechanism], authority=authority) as server:
        open_connection(server.account()).close()

        assert server.logins == [(mechanism, CREDENTIALS[0])]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_letters_beyond_ascii_in_a_password_log_in(
    mechanism: str, authority: Authority
) -> None:
    credentials = ("jörg", "größer")
    offer = {"mechanisms": [mechanism], "authority": authority}
    with smtp_server(credentials=credentials, **offer) as server:
        open_connection(server.account()).close()
        error = failed_opening(server.account(password="groß"))

        assert server.logins == 2 * [(mechanism, "jörg")]
    assert (error.stage, error.code) == (Stage.AUTH, 535)


def test_letters_beyond_ascii_need_a_mechanism_that_knows_them() -> None:
    with scripted_server({"EHLO": b"250-a\r\n250 AUTH CRAM-MD5\r\n"}) as server:
        error = failed_opening(server.account(username="jörg", password="größer"))

        assert "AUTH" not in server.verbs
    assert (error.stage, error.words) == (Stage.AUTH, "The server offers: CRAM-MD5")
    assert "letters such as ä" in error.remedy


def test_another_mechanism_is_tried_when_one_is_too_weak() -> None:
    answers = iter([b"534 5.7.9 Too weak\r\n", b"235 2.7.0 Welcome\r\n"])
    script = {
        "EHLO": b"250-scripted\r\n250 AUTH PLAIN LOGIN\r\n",
        "AUTH": lambda connection: connection.sendall(next(answers)),
    }
    with scripted_server(script) as server:
        open_connection(server.account(username="a", password="b")).close()

        logins = [line for line in server.lines if line.startswith("AUTH")]
        assert [line.split()[1] for line in logins] == ["PLAIN", "LOGIN"]


def test_every_stage_is_reported_with_what_was_found(authority: Authority) -> None:
    steps: list[Step] = []
    with smtp_server(authority=authority) as server:
        open_connection(server.account(server="127.0.0.1"), steps.append).close()

    done = {step.stage: step.words for step in steps if step.state == StepState.DONE}
    order = stages(steps, StepState.DONE)
    assert [stage.value for stage in order] == [
        "resolve", "connect", "ehlo", "tls", "ehlo", "auth",
    ]  # fmt: skip
    assert done[Stage.RESOLVE] == done[Stage.CONNECT] == "127.0.0.1"
    assert done[Stage.TLS].startswith("TLSv1.3, localhost, issued by Test Authority")
    assert done[Stage.EHLO].startswith("250 smtp.test")
    assert done[Stage.AUTH] == "235 2.7.0 Authentication successful"


def test_stages_without_work_are_reported_as_skipped() -> None:
    steps: list[Step] = []
    with smtp_server(NONE, credentials=None) as server:
        open_connection(server.account(), steps.append).close()

    assert stages(steps, StepState.SKIPPED) == [Stage.TLS, Stage.AUTH]


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("", "[127.0.0.1]"),
        ("127.0.0.1", "[127.0.0.1]"),
        ("2001:db8::1", "[IPv6:2001:db8::1]"),
        ("[2001:db8::1]", "[IPv6:2001:db8::1]"),
        ("pbx.example.com", "pbx.example.com"),
        ("büro.example", "xn--bro-hoa.example"),
        ("no host ä", "[127.0.0.1]"),
    ],
)
def test_server_sees_a_greeting_as_the_standard_asks(name: str, seen: str) -> None:
    with smtp_server(NONE, credentials=None) as server:
        open_connection(server.account(client_host_name=name)).close()

        assert server.greeting_names == [seen]


def test_server_is_reached_over_ipv6() -> None:
    with smtp_server(TLS, address="::1") as server:
        open_connection(server.account(server="[::1]")).close()


def test_next_address_is_tried_when_one_is_closed() -> None:
    named: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        addresses = [("::1", closed_port()), listener.getsockname()]
        network.connect(addresses, Deadline(5), named.append).close()

    assert named == ["::1", "127.0.0.1"]


# Finding and reaching the server


@pytest.mark.parametrize("name", ["no-such.invalid", "a" * 80 + ".example", "ä ö", ""])
def test_name_that_does_not_resolve_is_said(name: str) -> None:
    error = failed_opening(Account(name, 587, STARTTLS))

    assert (error.stage, error.code, error.permanent) == (
        Stage.RESOLVE,
        None,
        False,
    )
    assert f"“{name}”" in error.remedy


def test_finding_the_server_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer_too_late(*arguments: object, **options: object) -> list[Any]:
        time.sleep(1)
        return []

    # No DNS can be told to stay silent without changing the whole machine's.
    monkeypatch.setattr(socket, "getaddrinfo", answer_too_late)
    error = failed_opening(Account("localhost", 587, STARTTLS, connect_timeout=0.2))

    assert (error.stage, error.permanent) == (Stage.RESOLVE, False)
    assert "DNS did not answer in time" in error.remedy


def test_closed_port_is_said() -> None:
    port = closed_port()
    error = failed_opening(Account("127.0.0.1", port, STARTTLS))

    assert (error.stage, error.permanent) == (Stage.CONNECT, False)
    assert error.words == "127.0.0.1: Connection refused"
    assert f"Nothing answers on port {port}" in error.remedy


@contextmanager
def full_server() -> Iterator[int]:
    """Listen, but leave no room for one more connection."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as more:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for waiting in (first, more):
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_connecting_has_a_limit() -> None:
    with full_server() as port:
        error = failed_opening(Account("127.0.0.1", port, NONE, connect_timeout=0.3))

    assert (error.stage, error.words) == (Stage.CONNECT, "127.0.0.1: timed out")
    assert "firewall" in error.remedy


SILENT = {
    "greeting": ({"GREETING": stay_silent}, NONE, Stage.EHLO),
    "greeting for ever": ({"GREETING": drip(b"2" * 99, 0.1)}, NONE, Stage.EHLO),
    "endless greeting": (
        {"GREETING": drip(b"220-\r\n" * 99, 0.02)},
        NONE,
        Stage.EHLO,
    ),
    "EHLO": ({"EHLO": stay_silent}, NONE, Stage.EHLO),
    "STARTTLS": (
        {"EHLO": OFFER_STARTTLS, "STARTTLS": stay_silent},
        STARTTLS,
        Stage.TLS,
    ),
    "handshake": (
        {"EHLO": OFFER_STARTTLS, "STARTTLS": then_silent(b"220 Go ahead\r\n")},
        STARTTLS,
        Stage.TLS,
    ),
    "handshake first": ({"GREETING": stay_silent}, TLS, Stage.TLS),
    "AUTH": ({"EHLO": OFFER_PLAIN, "AUTH": stay_silent}, NONE, Stage.AUTH),
}


@pytest.mark.parametrize("silence", SILENT)
def test_silent_server_is_given_up(silence: str) -> None:
    script, security, stage = SILENT[silence]
    credentials = {"username": "a", "password": "b"}
    with scripted_server(script) as server:
        began_at = time.monotonic()
        error = failed_opening(
            server.account(security=security, reply_timeout=0.3, **credentials)
        )

    assert time.monotonic() - began_at < 2
    assert (error.stage, error.permanent, error.code) == (stage, False, None)
    assert "in time" in error.remedy or "stayed silent" in error.remedy


@pytest.mark.parametrize(
    ("script", "word"),
    [
        ({"GREETING": hang_up}, "closed the connection during the greeting"),
        ({"EHLO": hang_up}, "closed the connection during the greeting"),
        ({"GREETING": b"HTTP/1.1 400 Bad Request\r\n"}, "does not speak SMTP"),
        ({"GREETING": b"220 " + b"x" * 9000 + b"\r\n"}, "does not speak SMTP"),
        ({"GREETING": b"220-more\r\n" * 9000}, "closed the connection"),
    ],
)
def test_what_is_no_mail_server_is_said(
    script: dict[str, bytes | Action], word: str
) -> None:
    with scripted_server(script) as server:
        error = failed_opening(server.account())

    assert (error.stage, error.permanent, error.code) == (Stage.EHLO, False, None)
    assert word in error.remedy


# Logging in


def test_wrong_password_is_said_once_and_counted_once(authority: Authority) -> None:
    with smtp_server(authority=authority) as server:
        error = failed_opening(server.account(password="wrong"))

        assert len(server.logins) == 1
    assert (error.stage, error.code, error.enhanced) == (Stage.AUTH, 535, "5.7.8")
    assert error.permanent
    assert "password is wrong" in error.remedy


@pytest.mark.parametrize(
    ("reply", "is_permanent", "word"),
    [
        ("454 4.7.0 Temporary failure", False, "temporary"),
        ("534 5.7.9 Application-specific password required", True, "app password"),
        ("538 5.7.11 Encryption required", True, "encrypted"),
        ("530 5.7.0 Must issue a STARTTLS command first", True, "encrypted"),
        ("535 4.7.8 Try again later", False, "password"),
        ("432 4.7.12 Change your password", False, "Change it"),
        ("503 5.5.1 AUTH command used when not advertised", True, "refused the login"),
        ("421 4.3.2 Closing", False, "some minutes"),
    ],
)
def test_refused_login_says_what_to_do(
    reply: str, is_permanent: bool, word: str
) -> None:
    script = {"EHLO": OFFER_PLAIN, "AUTH": f"{reply}\r\n".encode()}
    with scripted_server(script) as server:
        error = failed_opening(server.account(username="a", password="b"))

    assert (error.stage, error.words) == (Stage.AUTH, reply)
    assert error.code == int(reply[:3])
    assert error.permanent is is_permanent
    assert word in error.remedy


@pytest.mark.parametrize("offer", [b"250 scripted\r\n", b"250-a\r\n250 AUTH NTLM\r\n"])
def test_server_without_a_known_login_is_said(offer: bytes) -> None:
    with scripted_server({"EHLO": offer}) as server:
        error = failed_opening(server.account(username="a", password="b"))

        assert "AUTH" not in server.verbs
    assert (error.stage, error.code, error.permanent) == (Stage.AUTH, None, False)
    assert "offers no way to log in" in error.remedy


def test_malformed_challenge_is_said() -> None:
    script = {"EHLO": b"250-a\r\n250 AUTH CRAM-MD5\r\n", "AUTH": b"334 x\r\n"}
    with scripted_server(script) as server:
        error = failed_opening(server.account(username="a", password="b"))

        # No QUIT: the server would take it for the answer.
        assert server.verbs[-1] == "AUTH"
    assert (error.stage, error.code) == (Stage.AUTH, None)


def own_address() -> str:
    """Return an address of this machine by which it is no loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("This machine has no network.")
        address: str = probe.getsockname()[0]
    return address


def test_password_never_leaves_this_machine_unencrypted() -> None:
    address = own_address()
    with smtp_server(NONE, address=address) as server:
        error = failed_opening(server.account(server=address))

        assert server.logins == []
    assert (error.stage, error.permanent) == (Stage.AUTH, True)
    assert "not sent over an unencrypted connection" in error.remedy


@pytest.mark.parametrize("secret", ["hunter22", "aHVudGVyMjI=", "AGEAaHVudGVyMjI="])
def test_password_that_a_server_repeats_is_not_passed_on(secret: str) -> None:
    reply = f"501 5.5.2 Cannot decode AUTH PLAIN {secret}\r\n".encode()
    with scripted_server({"EHLO": OFFER_PLAIN, "AUTH": reply}) as server:
        account = server.account(username="a", password="hunter22")
        error = failed_opening(account)

    assert error.words == "501 5.5.2 Cannot decode AUTH PLAIN ***"
    assert "hunter22" not in repr(account)


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("a", "535 5.7.8 Error: authentication failed: a bad one"),
        ("5", "535 5.7.8 Error: authentication failed"),
        ("fail", "535 5.7.8 Error: authentication failed"),
        ("failed", "535 5.7.8 It failedly fails: failed_login"),
    ],
)
def test_a_short_password_garbles_no_words(password: str, words: str) -> None:
    script = {"EHLO": OFFER_PLAIN, "AUTH": f"{words}\r\n".encode()}
    with scripted_server(script) as server:
        error = failed_opening(server.account(username="a", password=password))

    assert error.words == words
    assert error.enhanced == "5.7.8"


# Words


def test_words_of_many_lines_become_one_short_readable_one() -> None:
    greeting = b"554-5.7.1 Gr\xfc\xdfe\x1b[31m\r\n554 " + b"x" * 900 + b"\r\n"
    with scripted_server({"GREETING": greeting}) as server:
        error = failed_opening(server.account())

    assert error.words.startswith("554 5.7.1 Gr\ufffd\ufffde?[31m xxx")
    assert len(error.words) == 500
    assert (error.code, error.enhanced, error.permanent) == (554, "5.7.1", True)


@pytest.mark.parametrize("field", ["server", "client_host_name", "email_address"])
@pytest.mark.parametrize("char", ["\r", "\n", "\0"])
def test_control_characters_in_an_account_are_an_error(field: str, char: str) -> None:
    values = {"server": "127.0.0.1", field: f"a{char}b"}
    with pytest.raises(ValueError, match="CR, LF or NUL"):
        open_connection(Account(port=25, security=NONE, **values))
