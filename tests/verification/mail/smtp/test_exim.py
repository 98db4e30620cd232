"""Debian's Exim with its defaults: what it counts, what it limits and what it says."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from authconfig.choices import SmtpSecurity
from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter
from tests.support.certificates import Authority, make_authority
from tests.support.deliveries import failed_opening, failed_sending
from tests.support.exim import IS_POSSIBLE, Exim, running_exim
from verification.mail import sending
from verification.mail.account import Account
from verification.mail.choices import MailPriority, MailState
from verification.mail.choices import SmtpStage as Stage
from verification.mail.models import OutgoingEmail
from verification.mail.operation.outcomes import remedy_of
from verification.mail.smtp import open_connection
from verification.mail.smtp.faults import SmtpFault
from verification.sessions.passwords import PASSWORD_NOTICE

pytestmark = [
    pytest.mark.skipif(not IS_POSSIBLE, reason="needs Exim, and root to start it"),
    pytest.mark.usefixtures("two_factor"),
]
Queue = Callable[..., list[str]]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


@pytest.fixture
def exim(configure: SettingsSetter) -> Iterator[Exim]:
    with running_exim() as server:
        configure(smtp_port=server.port)
        yield server


@pytest.fixture
def queue(user: PbxUser) -> Queue:
    """Queue so many mails, and return what stands before the @ of their Message-IDs."""

    def add(count: int, **values: object) -> list[str]:
        facts = {"expires_at": timezone.now() + timedelta(days=1)} | values
        facts = {"user": user, "recipient": user.email} | facts
        rows = [OutgoingEmail(kind=PASSWORD_NOTICE.name, **facts) for _ in range(count)]
        OutgoingEmail.objects.bulk_create(rows)
        return sorted(str(row.public_id) for row in rows)

    return add


def outcomes() -> set[tuple[str, int]]:
    return set(OutgoingEmail.objects.values_list("state", "attempts"))


def test_exim_delivers_at_once_whatever_comes_in_one_go(
    exim: Exim, queue: Queue
) -> None:
    names = queue(25)

    sending.deliver_due()

    assert exim.await_mails(25) == names
    assert exim.queued == 0
    assert outcomes() == {(MailState.SENT, 1)}


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_exim_with_two_connections_gets_all_mails_by_them(
    queue: Queue, configure: SettingsSetter
) -> None:
    with running_exim(options="smtp_accept_max = 2") as exim:
        configure(smtp_port=exim.port, smtp_connections=4)
        names = queue(60)

        limit = time.monotonic() + 30
        while OutgoingEmail.objects.exclude(state=MailState.SENT).exists():
            assert time.monotonic() < limit, outcomes()
            sending.deliver_due()

        assert exim.await_mails(60) == names
        assert exim.queued == 0
    assert outcomes() == {(MailState.SENT, 1)}


def test_exims_number_of_a_mail_is_kept(exim: Exim, queue: Queue) -> None:
    queue(1)

    sending.deliver_due()

    words = OutgoingEmail.objects.get().words
    assert words.startswith("250 OK id=")
    assert words.removeprefix("250 OK id=") in exim.log


@pytest.mark.parametrize("priority", MailPriority)
def test_an_account_that_exim_refuses_at_the_recipient_keeps_its_mails(
    queue: Queue, configure: SettingsSetter, priority: MailPriority
) -> None:
    queue(1, priority=priority)
    with running_exim(rule="deny message = authentication required") as exim:
        configure(smtp_port=exim.port)
        sending.deliver_due()

    waiting = OutgoingEmail.objects.get()
    assert (waiting.state, waiting.stage) == (MailState.QUEUED, Stage.RCPT_TO)
    assert waiting.words == "550 authentication required"
    assert "login first; the recipient is not at fault" in remedy_of(waiting)


def test_a_full_exim_with_tls_from_the_start_says_so_in_clear_text(
    authority: Authority,
) -> None:
    options = "smtp_accept_max = 1\ntls_on_connect_ports = PORT"
    with (
        running_exim(authority, options=options) as exim,
        socket.create_connection(("127.0.0.1", exim.port)),
    ):
        account = account_at(exim, authority, SmtpSecurity.TLS)
        error = failed_opening(account)

    assert (error.stage, error.code, error.is_busy) == (Stage.TLS, 421, True)
    assert "Too many concurrent SMTP connections" in error.words
    assert "some minutes" in error.remedy


def account_at(exim: Exim, authority: Authority, security: SmtpSecurity) -> Account:
    ca = authority.ca_pem
    return Account("localhost", exim.port, security, ca_certificate=ca)


@pytest.mark.parametrize("security", [SmtpSecurity.STARTTLS, SmtpSecurity.TLS])
def test_a_connection_that_exim_has_ended_is_no_server_without_tls(
    authority: Authority, security: SmtpSecurity
) -> None:
    options = "smtp_receive_timeout = 1s"
    if security == SmtpSecurity.TLS:
        options += "\ntls_on_connect_ports = PORT"
    with (
        running_exim(authority, options=options) as exim,
        open_connection(account_at(exim, authority, security)) as connection,
    ):
        exim.await_log("SMTP command timeout")
        error = failed_sending(connection)

    assert (error.stage, error.fault) == (Stage.MAIL_FROM, SmtpFault.CLOSED)
    assert "closed the connection" in error.remedy
