"""From the login to the mailbox by Debian's Postfix, over TLS that is checked."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import unquote

import pytest
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import Dependency
from authconfig.dependencies import DependencyState
from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter, Starter
from tests.support.certificates import Authority, make_authority
from tests.support.dovecot_auth import running_authentication
from tests.support.postfix import IS_POSSIBLE, Postfix, running_postfix
from verification.approval.links import find_by_link
from verification.approval.models import LoginSession
from verification.mail import account, sending
from verification.mail.choices import MailPriority, MailState
from verification.mail.choices import SmtpStage as Stage
from verification.mail.models import OVER, OutgoingEmail
from verification.mail.operation.outcomes import remedy_of
from verification.sessions.passwords import PASSWORD_NOTICE

# A window of Postfix's counting, and a pause, that fit into a test.
WINDOW, FIRST_REST = "1s", timedelta(seconds=0.2)
COUNTING = f"""\
smtpd_client_event_limit_exceptions =
anvil_rate_time_unit = {WINDOW}
smtpd_client_message_rate_limit = 4
"""
STRICT = """\
smtpd_sender_login_maps = inline:{{pbx@example.com = somebody}}
smtpd_sender_restrictions = reject_sender_login_mismatch
"""
LINK_PATTERN = re.compile(r"session\.xml\?id=([\w%:.-]+)")
pytestmark = pytest.mark.skipif(
    not IS_POSSIBLE, reason="needs Postfix, and root to start it"
)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


@pytest.fixture
def postfix(
    two_factor: AuthenticationSettings, authority: Authority, configure: SettingsSetter
) -> Iterator[Postfix]:
    with running_postfix(authority) as server:
        use(server, authority, configure)
        yield server


@pytest.fixture(scope="module")
def strict(authority: Authority) -> Iterator[Postfix]:
    """A server that lets each login send from its own address alone."""
    with (
        running_authentication() as options,
        running_postfix(authority, options + STRICT) as server,
    ):
        yield server


@pytest.fixture
def postfix_that_knows_senders(
    strict: Postfix,
    two_factor: AuthenticationSettings,
    authority: Authority,
    configure: SettingsSetter,
) -> Postfix:
    use(strict, authority, configure)
    return strict


def use(server: Postfix, authority: Authority, configure: SettingsSetter) -> None:
    configure(
        smtp_server="localhost",
        smtp_port=server.port,
        smtp_security="starttls",
        smtp_ca_certificate=authority.ca_pem,
    )


def queue(user: PbxUser, count: int, **values: object) -> list[str]:
    """Queue so many mails, and return what stands before the @ of their Message-IDs."""
    facts = {"expires_at": timezone.now() + timedelta(hours=1)} | values
    facts |= {"user": user, "recipient": user.email, "kind": PASSWORD_NOTICE.name}
    rows = [OutgoingEmail(**facts) for _ in range(count)]
    OutgoingEmail.objects.bulk_create(rows)
    return [str(row.public_id) for row in rows]


def send_all(limit_seconds: float) -> None:
    """Look for mails as the sweep does, only more often, until all have ended."""
    limit = time.monotonic() + limit_seconds
    waiting = OutgoingEmail.objects.exclude(state__in=OVER)
    while waiting.exists():
        assert time.monotonic() < limit, list(OutgoingEmail.objects.values())
        sending.deliver_due()
        time.sleep(0.05)


def test_a_logins_mail_arrives_by_postfix_and_others_fail_with_its_words(
    postfix: Postfix, start: Starter, browser: Browser
) -> None:
    start(browser)
    login = LoginSession.objects.get()
    refused = OutgoingEmail.objects.create(
        kind=PASSWORD_NOTICE.name,
        user=login.user,
        recipient="nobody@example.com",
        expires_at=login.expires_at,
    )

    sending.deliver_due()

    mail = OutgoingEmail.objects.get(login_mail__login=login)
    assert (mail.state, mail.code) == (MailState.SENT, 250)
    assert mail.words.startswith("250 2.0.0 Ok: queued as")
    message = postfix.await_mail()
    assert message["Message-ID"] == f"<{mail.public_id}@example.com>"
    assert "with ESMTPS" in message["Received"]
    text = message.get_body(("plain",))
    assert text
    token = unquote(LINK_PATTERN.findall(text.get_content())[0])
    assert find_by_link(token) == login
    refused.refresh_from_db()
    # Over the same connection: MAIL, RCPT and DATA went at once, and RCPT was refused.
    assert (refused.state, refused.stage) == (MailState.FAILED, Stage.RCPT_TO)
    assert refused.words.startswith("550 5.1.1 <nobody@example.com>")


def test_postfix_with_a_certificate_of_nobody_gets_no_mail(
    postfix: Postfix, start: Starter, browser: Browser, configure: SettingsSetter
) -> None:
    configure(smtp_ca_certificate=make_authority("Another Authority").ca_pem)
    start(browser)

    sending.deliver_due()

    mail = OutgoingEmail.objects.get()
    assert (mail.state, mail.stage) == (MailState.QUEUED, Stage.TLS)
    assert not list(postfix.place.glob("mailboxes/anna/new/*"))


@pytest.mark.long
def test_a_limit_of_postfix_is_no_fault_of_the_mails(
    two_factor: AuthenticationSettings,
    user: PbxUser,
    authority: Authority,
    configure: SettingsSetter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(account, "FIRST_REST", FIRST_REST)
    recordings = queue(user, 2, priority=MailPriority.LATER)
    urgent = queue(user, 6)
    with running_postfix(authority, COUNTING) as server:
        use(server, authority, configure)
        send_all(30)
        log = (server.place / "log").read_text()
        found = server.await_mails(8)

    assert "Message delivery request rate limit exceeded" in log
    assert sorted(found) == sorted(urgent + recordings)
    outcomes = OutgoingEmail.objects.values_list("state", "attempts")
    assert set(outcomes) == {(MailState.SENT, 1)}
    in_turn = OutgoingEmail.objects.order_by("ended_at", "priority")
    assert [mail.priority for mail in in_turn] == 6 * [0] + 2 * [1]


@pytest.mark.parametrize(
    ("login", "said", "remedy"),
    [
        ("", "not logged in", "login first; the recipient is not at fault"),
        ("carl", "not owned by user carl", "belongs to the username"),
    ],
    ids=["without login", "with a login"],
)
@pytest.mark.parametrize("priority", MailPriority)
def test_a_sender_that_postfix_refuses_at_the_recipient_is_the_accounts_fault(
    postfix_that_knows_senders: Postfix,
    user: PbxUser,
    configure: SettingsSetter,
    priority: MailPriority,
    login: str,
    said: str,
    remedy: str,
) -> None:
    queue(user, 1, priority=priority)
    configure(smtp_username=login, smtp_password="any" if login else "")

    sending.deliver_due()

    mail = OutgoingEmail.objects.get()
    assert (mail.state, mail.stage, mail.code) == (MailState.QUEUED, Stage.RCPT_TO, 553)
    assert mail.words.endswith(f"Sender address rejected: {said}")
    assert remedy in remedy_of(mail)
    assert not DependencyState.objects.get(kind=Dependency.SMTP).is_up
