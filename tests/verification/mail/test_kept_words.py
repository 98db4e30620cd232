"""What is kept of a server's words: its own numbers, and never a secret of ours."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.conftest import SettingsSetter
from tests.support.scripted_smtp import scripted_server
from tests.support.smtp_servers import Server
from verification.approval.tokens import link_token
from verification.mail import sending
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail


@pytest.fixture
def queued(
    server: Server, mail: OutgoingEmail, configure: SettingsSetter
) -> OutgoingEmail:
    configure(smtp_port=server.port)
    return mail


def deliver(mail: OutgoingEmail) -> str:
    sending.deliver_due()
    mail.refresh_from_db()
    return mail.state


@pytest.mark.parametrize("form", ["?id={}", "%3Fid%3D{}", "id={}", "<{}>", "?id={:.9}"])
def test_a_link_that_a_server_repeats_is_kept_without_its_secret(
    queued: OutgoingEmail, server: Server, form: str
) -> None:
    token = link_token(queued.login_mail.login)
    for spelled in (token, quote(token)):
        server.refuse_content = f"554 5.7.1 Spam: https://a.example/{form} in it"
        server.refuse_content = server.refuse_content.format(spelled)
        OutgoingEmail.objects.update(state=MailState.QUEUED, ended_at=None)
        deliver(queued)

        assert token[:9] not in queued.words
        assert queued.words.endswith(" in it")


@pytest.mark.parametrize(
    "words",
    [
        "250 OK id=1rXYZa-000123-4B",
        "250 OK id=1sXYZa-0000000Abcd-1xyz",
        "250 2.0.0 Ok: queued as 4ABCdef0123",
        "250 2.6.0 <a@example.com> [InternalId=1234567890, Hostname=mail.example.com]",
        "250 2.0.0 id=12345678-1234-1234-1234-123456789abc",
        "250 at 2026-11-29T20:46:51 by 2001:db8:85a3:8d3:1319:8a2e:370:7348",
    ],
)
def test_a_servers_own_name_for_a_mail_is_kept(
    mail: OutgoingEmail, configure: SettingsSetter, words: str
) -> None:
    with scripted_server({".": f"{words}\r\n".encode()}) as server:
        configure(smtp_port=server.port)

        assert deliver(mail) == MailState.SENT
    assert mail.words == words
