"""From the login to the mailbox by Debian's Postfix, over TLS that is checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

import pytest
from django.test import Client as Browser

from authconfig.models import AuthenticationSettings
from tests.conftest import SettingsSetter, Starter
from tests.support.certificates import Authority, make_authority
from tests.support.postfix import IS_POSSIBLE, Postfix, running_postfix
from verification.approval.flows import find_by_link
from verification.approval.models import LoginSession
from verification.mail import sending
from verification.mail.choices import MailState
from verification.mail.choices import SmtpStage as Stage
from verification.mail.models import OutgoingEmail
from verification.sessions.passwords import PASSWORD_NOTICE

LINK_PATTERN = re.compile(r"session\.xml\?id=([\w%:.-]+)")
pytestmark = pytest.mark.skipif(
    not IS_POSSIBLE, reason="needs Postfix, and root to start it"
)


@pytest.fixture
def authority() -> Authority:
    return make_authority()


@pytest.fixture
def postfix(
    two_factor: AuthenticationSettings, authority: Authority, configure: SettingsSetter
) -> Iterator[Postfix]:
    with running_postfix(authority) as server:
        configure(
            smtp_server="localhost",
            smtp_port=server.port,
            smtp_security="starttls",
            smtp_ca_certificate=authority.ca_pem,
        )
        yield server


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
