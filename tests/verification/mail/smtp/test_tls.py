"""Encryption is required, verified, and never quietly given up."""

from __future__ import annotations

import socket
import ssl

import pytest

from authconfig import network
from authconfig.choices import SmtpSecurity
from tests.support.certificates import Authority, make_authority
from tests.support.deliveries import failed_opening
from tests.support.scripted_smtp import scripted_server
from tests.support.smtp_servers import smtp_server
from verification.mail.account import Account
from verification.mail.choices import SmtpStage as Stage
from verification.mail.smtp import SmtpError, open_connection

STARTTLS, TLS, NONE = SmtpSecurity.STARTTLS, SmtpSecurity.TLS, SmtpSecurity.NONE
OFFER_STARTTLS = b"250-scripted\r\n250 STARTTLS\r\n"
OFFER_PLAIN = b"250-scripted\r\n250 AUTH PLAIN\r\n"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


@pytest.mark.parametrize("security", [STARTTLS, TLS])
def test_untrusted_certificate_names_its_issuer(
    security: SmtpSecurity, authority: Authority
) -> None:
    with smtp_server(security, authority=authority) as server:
        error = failed_opening(server.account(ca_certificate=""))

    assert (error.stage, error.permanent) == (Stage.TLS, False)
    assert "issued by “Test Authority”" in error.remedy
    assert server.logins == []


@pytest.mark.parametrize("security", [STARTTLS, TLS])
def test_expired_certificate_is_refused(
    security: SmtpSecurity, authority: Authority
) -> None:
    context = authority.server_context(days=-3)
    with smtp_server(security, authority=authority, context=context) as server:
        error = failed_opening(server.account())

    assert error.stage == Stage.TLS
    assert "has expired" in error.remedy
    assert "valid until" in error.words


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_certificate_of_another_name_is_refused(
    name: str, authority: Authority
) -> None:
    context = authority.server_context("mail.example.com", "192.0.2.1")
    with smtp_server(TLS, authority=authority, context=context) as server:
        error = failed_opening(server.account(server=name))

    assert error.stage == Stage.TLS
    assert f"another name than “{name}”" in error.remedy
    assert "mail.example.com" in error.words


def test_tls_older_than_1_2_is_refused(authority: Authority) -> None:
    with pytest.warns(DeprecationWarning, match=r"TLSv1"):
        context = authority.server_context(newest=ssl.TLSVersion.TLSv1_1)
    with scripted_server({"EHLO": OFFER_STARTTLS}, context=context) as server:
        error = failed_opening(server.account(security=STARTTLS))

    assert "older than 1.2" in error.remedy


def test_plain_server_on_the_port_of_tls_is_said() -> None:
    with smtp_server(NONE, credentials=None) as server:
        error = failed_opening(server.account(security=TLS))

    assert error.stage == Stage.TLS
    assert "does not begin with TLS" in error.remedy


def test_server_of_tls_stays_silent_without_it(authority: Authority) -> None:
    with smtp_server(TLS, authority=authority) as server:
        error = failed_opening(server.account(security=STARTTLS, reply_timeout=0.3))

    assert error.stage == Stage.EHLO
    assert "expects TLS from the start" in error.remedy


def test_system_authorities_stay_trusted_beside_the_own_one(
    authority: Authority,
) -> None:
    own = network.verifying_context(authority.ca_pem).cert_store_stats()["x509_ca"]

    assert own == network.verifying_context("").cert_store_stats()["x509_ca"] + 1


def test_remarks_around_a_ca_certificate_do_not_matter(authority: Authority) -> None:
    pem = f"# Für Müller\n{authority.ca_pem}"
    with smtp_server(TLS, authority=authority) as server:
        open_connection(server.account(ca_certificate=pem)).close()


def test_unreadable_ca_certificate_is_said() -> None:
    with scripted_server({"EHLO": OFFER_STARTTLS}) as server:
        error = failed_opening(
            server.account(security=STARTTLS, ca_certificate="rubbish")
        )

    assert (error.stage, error.permanent) == (Stage.TLS, True)
    assert "PEM" in error.remedy


@pytest.mark.parametrize("offer", [b"250 scripted\r\n", b"250-a\r\n250 XXXXXXXA\r\n"])
def test_no_starttls_means_no_delivery_and_never_clear_text(offer: bytes) -> None:
    script = {"EHLO": offer, "AUTH": b"235 Thank you\r\n"}
    with scripted_server(script) as server:
        account = server.account(security=STARTTLS, username="a", password="b")
        error = failed_opening(account)

        assert server.verbs in (["EHLO"], ["EHLO", "QUIT"])
    assert (error.stage, error.permanent) == (Stage.TLS, False)
    assert "does not offer STARTTLS" in error.remedy


def test_starttls_removed_on_the_way_is_noticed(authority: Authority) -> None:
    hidden = ["STARTTLS"]
    with smtp_server(authority=authority, hidden_extensions=hidden) as server:
        error = failed_opening(server.account())

    assert error.stage == Stage.TLS
    assert error.words == "The server offers: 8BITMIME SMTPUTF8 HELP"


def test_refused_starttls_ends_the_connection() -> None:
    script = {"EHLO": OFFER_STARTTLS, "STARTTLS": b"454 4.7.0 Not now\r\n"}
    with scripted_server(script) as server:
        error = failed_opening(server.account(security=STARTTLS))

    assert (error.stage, error.code, error.enhanced) == (Stage.TLS, 454, "4.7.0")
    assert not error.permanent


def test_answers_injected_before_tls_are_refused(authority: Authority) -> None:
    injected = b"220 Go ahead\r\n250-scripted\r\n250 AUTH PLAIN\r\n"
    script = {"EHLO": OFFER_STARTTLS, "STARTTLS": injected}
    with scripted_server(script, context=authority.server_context()) as server:
        account = server.account(security=STARTTLS, ca_certificate=authority.ca_pem)
        error = failed_opening(account)

    assert error.stage == Stage.TLS
    assert "unencrypted data" in error.remedy


def test_plain_answer_instead_of_a_handshake_is_refused() -> None:
    def answer_in_plain(connection: socket.socket) -> None:
        connection.sendall(b"220 Go ahead\r\n")
        connection.recv(4096)
        connection.sendall(b"250 Let us go on without\r\n")

    script = {"EHLO": OFFER_STARTTLS, "STARTTLS": answer_in_plain}
    with scripted_server(script) as server:
        error = failed_opening(server.account(security=STARTTLS))

    assert error.stage == Stage.TLS
    assert "could not be established" in error.remedy


def test_what_was_offered_before_tls_counts_no_more(authority: Authority) -> None:
    offers = iter([b"250-a\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n", b"250 a\r\n"])
    script = {"EHLO": lambda connection: connection.sendall(next(offers))}
    with scripted_server(script, context=authority.server_context()) as server:
        account = server.account(security=STARTTLS, ca_certificate=authority.ca_pem)
        with pytest.raises(SmtpError) as caught:
            open_connection(Account(**vars(account) | {"username": "a"}))

    assert (caught.value.stage, caught.value.code) == (Stage.AUTH, None)
