"""What a server refuses, what gets lost on the way, and what stays unknown."""

from __future__ import annotations

import os
import signal
import socket
import time
from types import FrameType
from typing import Any

import pytest
from django.db import DatabaseError

from authconfig.choices import StepState
from authconfig.trial import Step
from tests.support.deliveries import (
    connected,
    failed_opening,
    failed_sending,
    mail,
    scripted,
    send,
)
from tests.support.scripted_smtp import (
    POLITE,
    drip,
    hang_up,
    scripted_server,
    stay_silent,
)
from verification.mail.choices import SmtpStage as Stage
from verification.mail.smtp.faults import SmtpFault

PLAIN = b"250 scripted\r\n"
PIPELINING = b"250-scripted\r\n250 PIPELINING\r\n"

# Refusals

REFUSALS = [
    ("MAIL", "550 5.7.60 Not allowed to send as this", True, "sender"),
    ("MAIL", "553 5.1.8 Sender rejected", True, "sender's domain"),
    ("MAIL", "530 5.7.0 Authentication required", True, "login first"),
    ("MAIL", "552 5.3.4 Too large", True, "too large"),
    ("MAIL", "421 4.3.2 Closing", False, "some minutes"),
    ("MAIL", "451 4.3.0 Try later", False, "some minutes"),
    ("RCPT", "550 5.1.1 No such user", True, "no such mailbox"),
    ("RCPT", "550 5.1.2 Host unknown", True, "recipient's domain"),
    ("RCPT", "556 5.1.10 Null MX", True, "no e-mails at all"),
    ("RCPT", "550 5.2.1 Disabled", True, "disabled"),
    ("RCPT", "452 4.2.2 Over quota", False, "mailbox is full"),
    ("DOT", "550 5.7.23 SPF", True, "SPF record"),
    ("DOT", "550 5.7.26 Unauthenticated", True, "DKIM"),
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
# The servers' own words: Exim 4.96, Courier 1.0.16, sendmail 8.17.1, OpenSMTPD 6.8,
# Dovecot 2.3.19, Haraka 3.3.4, Postfix 3.7, Exchange and Gmail.
REFUSALS += [
    # A login, or encryption, first
    ("MAIL", "535 Authentication required.", True, "login first"),
    ("MAIL", "530 5.7.0 Authentication required", True, "login first"),
    (
        "MAIL",
        "530 5.5.1 Invalid command: Must issue an AUTH command first",
        True,
        "login first",
    ),
    (
        "MAIL",
        "530 5.5.1 Invalid command: Must issue a STARTTLS command first",
        True,
        "encrypted connection",
    ),
    ("MAIL", "530 5.7.0 Must issue a STARTTLS command first", True, "encrypted"),
    ("MAIL", "400 STARTTLS is required first.", False, "encrypted connection"),
    ("MAIL", "503 5.7.0 Authentication required.", True, "login first"),
    ("MAIL", "530 5.7.0 TLS required.", True, "encrypted connection"),
    (
        "MAIL",
        "530 5.7.57 Client was not authenticated to send anonymous mail during MAIL",
        True,
        "wants a login",
    ),
    ("RCPT", "550 authentication required", True, "login first"),
    ("RCPT", "550 relay not permitted", True, "login first"),
    (
        "RCPT",
        "554 5.7.1 <x@example.net>: Relay access denied",
        True,
        "login first",
    ),
    (
        "RCPT",
        "550 5.7.1 <x@example.net>... Relaying denied. Proper authentication required.",
        True,
        "login first",
    ),
    ("RCPT", "513 Relaying denied.", True, "login first"),
    ("RCPT", "550 I cannot deliver mail for <x@example.net>", True, "want a login"),
    ("RCPT", "550 Invalid recipient: <x@example.net>", True, "recipient"),
    # The sender, and this site
    (
        "DOT",
        "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
        True,
        "may not send from its",
    ),
    (
        "RCPT",
        "450 4.1.8 <pbx@nowhere>: Sender address rejected: Domain not found",
        False,
        "sender's domain",
    ),
    (
        "RCPT",
        "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.7]",
        False,
        "no name in DNS",
    ),
    (
        "RCPT",
        "504 5.5.2 <pbx>: Helo command rejected: need fully-qualified hostname",
        True,
        "client host name",
    ),
    # Too much for now
    ("MAIL", "450 4.7.1 Error: too much mail from 192.0.2.7", False, "as many e-mails"),
    ("MAIL", "452 4.5.3 Too many recipients: Too many messages sent", False, "as many"),
    ("RCPT", "450 4.7.1 Error: too many recipients from 192.0.2.7", False, "as many"),
    ("MAIL", "550 5.4.5 Daily user sending limit exceeded.", True, "as many e-mails"),
    # The size
    ("MAIL", "552 Message size exceeds maximum permitted", True, "too large"),
    ("MAIL", "534 SIZE=Message too big.", True, "too large"),
    ("MAIL", "550 Message too big!", True, "too large"),
    ("MAIL", "552 5.2.3 Message size exceeds administrative limit", True, "too large"),
    (
        "MAIL",
        "552 5.2.3 Message size exceeds fixed maximum message size (10000000)",
        True,
        "too large",
    ),
    (
        "DOT",
        "523 Message length (2000000 bytes) exceeds administrative limit.",
        True,
        "too large",
    ),
    (
        "DOT",
        "554 5.3.4 Message too big for system: Transaction failed, message too big",
        True,
        "too large",
    ),
    ("DOT", "552 5.3.4 Error: message file too big", True, "too large"),
]
STAGES = {"MAIL": Stage.MAIL_FROM, "RCPT": Stage.RCPT_TO}


@pytest.mark.parametrize(("verb", "reply", "is_permanent", "word"), REFUSALS)
def test_refusal_says_what_to_do(
    verb: str, reply: str, is_permanent: bool, word: str
) -> None:
    steps: list[Step] = []
    with scripted(**{verb: f"{reply}\r\n".encode()}) as (_server, connection):
        error = failed_sending(connection, progress=steps.append)

    assert error.stage == STAGES.get(verb, Stage.DATA)
    assert (error.words, error.permanent) == (reply, is_permanent)
    code, enhanced = reply.split()[:2]
    assert str(error.code) == code
    assert error.enhanced == (enhanced if enhanced[1:2] == "." else "")
    assert (error.data_begun, error.outcome_unknown) == (verb == "DOT", False)
    assert word in error.remedy
    assert (steps[-1].state, steps[-1].words) == (StepState.FAILED, reply)


BUSY, REFUSED, MAILS_OWN = "busy", "account refused", "the mail's own"


@pytest.mark.parametrize(
    ("verb", "reply", "whose"),
    [
        ("GREETING", "421 Too many concurrent SMTP connections", BUSY),
        ("GREETING", "554 5.7.1 Go away", MAILS_OWN),
        ("EHLO", "450 4.3.2 Later", BUSY),
        ("MAIL", "421 4.7.0 Try again later", BUSY),
        ("MAIL", "450 4.7.1 Error: too much mail from 192.0.2.7", BUSY),
        ("MAIL", "451 4.7.500 Server busy", BUSY),
        ("MAIL", "452 4.3.1 Insufficient system storage", BUSY),
        ("MAIL", "452 space shortage, please try later", BUSY),
        ("MAIL", "450 Message too big!", MAILS_OWN),
        ("MAIL", "550 5.4.5 Daily user sending limit exceeded", REFUSED),
        ("MAIL", "530 5.7.0 Authentication required", REFUSED),
        ("MAIL", "553 5.7.1 <a@b>: Sender address rejected: not logged in", REFUSED),
        ("MAIL", "550 5.7.1 No", MAILS_OWN),
        ("RCPT", "450 4.7.1 Error: too many recipients from 192.0.2.7", BUSY),
        ("RCPT", "450 4.2.0 Greylisted, see the help", MAILS_OWN),
        ("RCPT", "450 4.2.1 The user is receiving mail at too high a rate", MAILS_OWN),
        ("RCPT", "421 4.3.0 Temporary system problem", MAILS_OWN),
        ("RCPT", "550 authentication required", REFUSED),
        ("RCPT", "550 5.1.1 No such user; authentication required", MAILS_OWN),
        ("RCPT", "550 5.7.133 Authentication required for this group", MAILS_OWN),
        ("RCPT", "550 relay not permitted", REFUSED),
        ("RCPT", "554 5.7.1 Service unavailable; Client host blocked using a", REFUSED),
        ("RCPT", "550 anna@example.com not listed in Domino Directory", MAILS_OWN),
        ("RCPT", "550 5.7.1 You are not allowed to send to this group", MAILS_OWN),
        ("RCPT", "552 User quota exceeded", MAILS_OWN),
        ("RCPT", "552 5.2.2 Mailbox quota exceeded", MAILS_OWN),
        ("DOT", "432 4.3.2 STOREDRV.ClientSubmit; thread limit exceeded", BUSY),
        ("DOT", "451 4.7.1 Try again later", MAILS_OWN),
        ("DOT", "550 5.7.26 Unauthenticated e-mail is not accepted", MAILS_OWN),
        ("DOT", "554 5.7.1 The address is listed by a.example", MAILS_OWN),
        ("DOT", "554 5.7.1 Spam", MAILS_OWN),
    ],
)
def test_a_refusal_is_the_accounts_or_the_mails(
    verb: str, reply: str, whose: str
) -> None:
    words = f"{reply}\r\n".encode()
    if verb in ("GREETING", "EHLO"):
        with scripted_server({verb: words, "HELO": words}) as server:
            error = failed_opening(server.account())
    else:
        with scripted(**{verb: words}) as (_server, connection):
            error = failed_sending(connection)

    found = {BUSY: error.is_busy, REFUSED: error.refuses_account}
    assert [name for name, is_so in found.items() if is_so] == (
        [] if whose == MAILS_OWN else [whose]
    )


@pytest.mark.parametrize("what", ["sender", "recipient", "content"])
def test_connection_is_usable_after_a_refusal(what: str) -> None:
    with connected(**{f"refuse_{what}": "550 5.0.0 No"}) as (server, connection):
        failed_sending(connection)
        setattr(server, f"refuse_{what}", None)
        send(connection)

        assert (len(server.mails), server.connections) == (1, 1)


def test_mail_beyond_the_size_limit_is_refused_before_it_is_sent() -> None:
    with connected(size_limit=2000) as (_server, connection):
        error = failed_sending(connection, message=mail("x" * 70 + "\n" * 3000))

    assert (error.stage, error.code, error.permanent) == (
        Stage.MAIL_FROM,
        552,
        True,
    )
    assert not error.data_begun


@pytest.mark.parametrize("offer", [b"SIZE 2000", b"SIZE 2000\r\n250 PIPELINING"])
def test_a_server_that_forgets_the_size_it_said_gets_no_content(offer: bytes) -> None:
    ehlo = b"250-scripted\r\n250-" + offer.replace(b"\r\n250 ", b"\r\n250-")
    with scripted(EHLO=ehlo + b"\r\n250 8BITMIME\r\n") as (server, connection):
        error = failed_sending(connection, message=mail("x" * 70 + "\n" * 3000))

        assert (error.fault, error.permanent) == (SmtpFault.TOO_LARGE, True)
        assert error.is_too_large
        assert "the server takes 2000" in error.words
        assert server.verbs == ["EHLO", "MAIL", "RSET"]
        send(connection)


@pytest.mark.parametrize("offer", [b"SIZE", b"SIZE 0", b"SIZE much", b"SIZE 9999999"])
def test_a_size_that_says_nothing_holds_nothing_up(offer: bytes) -> None:
    ehlo = b"250-scripted\r\n250 " + offer + b"\r\n"
    with scripted(EHLO=ehlo) as (server, connection):
        send(connection)

        assert len(server.bodies) == 1


# The moment before the content


def test_before_data_runs_when_the_content_is_asked_for() -> None:
    seen: list[tuple[list[str], int]] = []

    with scripted() as (server, connection):

        def look() -> None:
            seen.append((list(server.verbs), len(server.bodies)))

        send(connection, before_data=look)

    assert seen == [(["EHLO", "MAIL", "RCPT", "DATA"], 0)]


@pytest.mark.parametrize("offer", [PLAIN, PIPELINING])
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
def test_before_data_does_not_run_after_a_refusal(verb: str, offer: bytes) -> None:
    called: list[str] = []
    with scripted(EHLO=offer, **{verb: b"550 No\r\n"}) as (_server, connection):
        failed_sending(connection, before_data=lambda: called.append("called"))

    assert called == []


@pytest.mark.parametrize("kind", [RuntimeError, DatabaseError, KeyboardInterrupt])
def test_what_before_data_raises_ends_the_delivery_unchanged(
    kind: type[BaseException],
) -> None:
    def lose_the_claim() -> None:
        raise kind("lost")

    with scripted() as (server, connection):
        with pytest.raises(kind, match="lost"):
            send(connection, before_data=lose_the_claim)
        assert not connection.is_alive()

    assert server.verbs[-1] == "DATA"
    assert not server.bodies or server.bodies == [b""]


# Several commands at once (RFC 2920)


def test_commands_go_at_once_where_the_server_takes_that() -> None:
    with scripted(EHLO=PIPELINING) as (server, connection):
        send(connection)
        send(connection)

        assert server.verbs == ["EHLO", *2 * ["MAIL", "RCPT", "DATA"]]
        assert len(server.bodies) == 2


@pytest.mark.parametrize(
    ("replies", "stage", "code"),
    [
        ({"MAIL": b"451 Busy\r\n", "RCPT": b"503 No\r\n"}, Stage.MAIL_FROM, 451),
        ({"RCPT": b"550 5.1.1 Unknown\r\n"}, Stage.RCPT_TO, 550),
        ({}, Stage.DATA, 554),
    ],
)
def test_a_refusal_among_commands_at_once_is_the_one_that_counts(
    replies: dict[str, bytes], stage: Stage, code: int
) -> None:
    refusals = replies | {"DATA": b"554 5.5.1 No valid recipients\r\n"}
    with scripted(EHLO=PIPELINING, **refusals) as (server, connection):
        error = failed_sending(connection)
        assert (error.stage, error.code, error.data_begun) == (stage, code, False)
        server.script.update(POLITE, EHLO=PIPELINING)
        send(connection)

        assert server.verbs[4] == "RSET"
        assert len(server.bodies) == 1


def test_a_server_that_asks_for_a_body_without_a_recipient_gets_none() -> None:
    refusal = {"RCPT": b"550 5.1.1 Unknown\r\n"}
    with scripted(EHLO=PIPELINING, **refusal) as (server, connection):
        error = failed_sending(connection)

        assert (error.stage, error.code) == (Stage.RCPT_TO, 550)
        assert not connection.is_alive()
    assert server.verbs == ["EHLO", "MAIL", "RCPT", "DATA"]


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
        error = failed_sending(connection)

        assert not connection.is_alive()
    assert (error.code, error.permanent) == (None, False)
    assert (error.data_begun, error.outcome_unknown) == (data_begun, outcome_unknown)


def test_each_delivery_has_its_own_outcome() -> None:
    with scripted(DOT=b"451 4.3.0 Later\r\n") as (server, connection):
        assert failed_sending(connection).data_begun
        server.script["MAIL"] = b"451 4.3.0 Later\r\n"

        assert not failed_sending(connection).data_begun


def test_mail_cut_off_before_its_end_was_surely_not_accepted() -> None:
    def read_a_little(connection: socket.socket) -> None:
        connection.sendall(b"354 Go ahead\r\n")
        connection.recv(1000)
        hang_up(connection)

    with scripted(DATA=read_a_little) as (_server, connection):
        error = failed_sending(connection, message=mail(f"{'x' * 70}\n" * 200_000))

    assert (error.data_begun, error.outcome_unknown) == (True, False)


def test_garbage_instead_of_the_last_reply_leaves_the_outcome_unknown() -> None:
    with scripted(DOT=b"whatever\r\n") as (_server, connection):
        error = failed_sending(connection)

    assert (error.code, error.permanent, error.outcome_unknown) == (None, False, True)


def test_last_reply_that_drips_has_a_limit() -> None:
    with scripted(DOT=drip(b"250-" * 99, 0.1)) as (_server, connection):
        began_at = time.monotonic()
        error = failed_sending(connection)

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


@pytest.mark.parametrize("verb", ["DATA", "DOT"])
def test_delivery_interrupted_in_the_body_closes_the_connection(verb: str) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        raise StoppedError

    def send_signal(connection: socket.socket) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        stay_silent(connection)

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with scripted(**{verb: send_signal}) as (server, connection):
            began_at = time.monotonic()
            with pytest.raises(StoppedError):
                send(connection)

            assert not connection.is_alive()
            # The next mail must not end up in the body of this one.
            assert failed_sending(connection).stage == Stage.MAIL_FROM
            assert time.monotonic() - began_at < 0.9
        assert server.verbs == ["EHLO", "MAIL", "RCPT", "DATA"]
    finally:
        signal.signal(signal.SIGUSR1, before)
