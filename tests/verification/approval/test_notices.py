"""What is told by e-mail after a rejection, and what its owner can do at once."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import Event, Origin, SmtpSecurity
from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter, Starter
from tests.support.smtp_servers import smtp_server
from verification.approval import flows
from verification.approval.choices import Ending
from verification.approval.mails import REJECTION
from verification.approval.models import LoginSession
from verification.approval.tokens import ending_token, link_token
from verification.mail import sending
from verification.mail.account import account_of
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.mail.rendering import render_mail
from verification.sessions.choices import Approver
from verification.sessions.passwords import tell_of_new_password

pytestmark = pytest.mark.django_db
NOTICES = OutgoingEmail.objects.filter(kind=REJECTION.name)


@pytest.fixture
def administrators(db: None) -> list[PbxUser]:
    """Two who can be told, and three who cannot."""
    add = PbxUser.objects.create_user
    add("silent", is_staff=True)
    add("idle", is_staff=True, email="idle@example.com", is_active=False)
    add("nobody", email="nobody@example.com")
    return [
        add(name, is_staff=True, email=f"{name}@example.com")
        for name in ("eva", "olaf")
    ]


def reject(login: LoginSession) -> HttpResponse:
    address = f"/PBX0/session.xml?{urlencode({'id': link_token(login)})}"
    return Browser().post(address, {"decision": "reject"})


def token_in(response: HttpResponse) -> str:
    found = re.search(r'name="token" value="([^"]+)"', response.content.decode())
    assert found
    return found[1]


def test_every_administrator_is_told_of_a_rejection(
    held: LoginSession, administrators: list[PbxUser]
) -> None:
    reject(held)

    assert {mail.recipient for mail in NOTICES.all()} == {
        "eva@example.com",
        "olaf@example.com",
    }
    assert AuditEvent.objects.filter(event=Event.LOGIN_REJECTED).count() == 1


def test_the_mail_says_who_where_and_when_and_holds_no_secret(
    held: LoginSession, administrators: list[PbxUser]
) -> None:
    reject(held)
    message = render_mail(
        NOTICES.all()[0], account_of(AuthenticationSettings.load())
    ).whole()

    assert message["Subject"] == "PBX: anna rejected a login"
    for part in (message.get_body(("plain",)), message.get_body(("html",))):
        assert part
        text = part.get_content()
        assert "127.0.0.1" in text
        assert f"/admin/users/pbxuser/{held.user_id}/change/" in text
        assert "session.xml" not in text
        assert link_token(held) not in text


def test_the_mails_go_out_by_the_queue(
    held: LoginSession,
    administrators: list[PbxUser],
    configure: SettingsSetter,
    browser: Browser,
) -> None:
    with smtp_server(security=SmtpSecurity.NONE, credentials=None) as server:
        configure(smtp_server=server.host, smtp_port=server.port)
        reject(held)
        tell_of_new_password(held.user)
        sending.deliver_due()

    subjects = sorted(mail.message["Subject"] for mail in server.mails)
    assert subjects == [
        "PBX: anna rejected a login",
        "PBX: anna rejected a login",
        "PBX: your password was changed",
    ]
    changed = server.mails[-1].message.get_body(("plain",))
    assert changed
    assert "This was not you?" in changed.get_content()
    states = OutgoingEmail.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["expired", "sent", "sent", "sent"]


def test_a_mail_that_tells_is_not_sent_a_day_late(
    held: LoginSession, administrators: list[PbxUser]
) -> None:
    reject(held)
    mail = NOTICES.all()[0]

    with time_machine.travel(timezone.now() + timedelta(days=1, seconds=1)):
        sending.deliver_due()

    mail.refresh_from_db()
    assert mail.state == MailState.EXPIRED


def test_whoever_has_a_password_floods_nobody(
    held: LoginSession, administrators: list[PbxUser], start: Starter
) -> None:
    reject(held)
    now = timezone.now()
    for minutes in (20, 40, 59):
        with time_machine.travel(now + timedelta(minutes=minutes)):
            start(Browser())
            reject(LoginSession.objects.pending().get())
    assert NOTICES.count() == 2

    with time_machine.travel(now + timedelta(minutes=76)):
        start(Browser())
        reject(LoginSession.objects.pending().get())
    assert NOTICES.count() == 4


@pytest.mark.parametrize("ending", [Ending.CANCELLED, Ending.ENDED, Ending.WRONG_CODES])
def test_other_endings_tell_nobody(
    held: LoginSession, administrators: list[PbxUser], ending: Ending
) -> None:
    flows._reject(held, ending)

    assert not NOTICES.exists()


def test_without_an_email_account_the_audit_log_alone_tells(
    user: PbxUser,
    administrators: list[PbxUser],
    held: LoginSession,
    configure: SettingsSetter,
) -> None:
    configure(two_factor=False, smtp_server="")

    assert reject(held).status_code == 200
    assert not NOTICES.exists()


def test_a_rejection_by_mail_offers_to_end_all_sessions_and_a_new_password(
    start: Starter, configure: SettingsSetter, two_factor: AuthenticationSettings
) -> None:
    configure(two_factor=False)
    existing = Browser()
    start(existing)
    configure(two_factor=True)
    start(Browser())

    page = reject(LoginSession.objects.get())
    assert 'href="/account/password/"' in page.content.decode()
    ended = Browser().post("/login/rejected/end-sessions/", {"token": token_in(page)})

    assert "1 session was ended" in ended.content.decode()
    assert existing.get("/account/").status_code == 302
    event = AuditEvent.objects.filter(event=Event.SESSION_ENDED).get()
    assert (event.user_name, event.detail) == ("anna", "all")


def test_accepting_offers_no_such_thing(held: LoginSession) -> None:
    address = f"/PBX0/session.xml?{urlencode({'id': link_token(held)})}"
    from_page = Browser().get(address).content.decode()

    assert "end-sessions" not in from_page


def end_by(token: str) -> int:
    path = "/login/rejected/end-sessions/"
    return Browser().post(path, {"token": token}).status_code


def test_only_the_page_of_a_rejection_ends_sessions(held: LoginSession) -> None:
    assert end_by(ending_token(held)) == 410
    assert end_by(link_token(held)) == 410
    assert end_by("") == 410
    assert Browser().get("/login/rejected/end-sessions/").status_code == 405

    reject(held)
    token = ending_token(held)
    assert end_by(token) == 200
    with time_machine.travel(timezone.now() + timedelta(minutes=10, seconds=1)):
        assert end_by(token) == 410


def test_a_rejection_in_a_session_is_told_as_well(
    held: LoginSession, administrators: list[PbxUser]
) -> None:
    flows.reject(held, approver=Approver.SESSION, origin=Origin())

    assert NOTICES.count() == 2
