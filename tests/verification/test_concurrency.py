"""What people and workers do at the same moment, with PostgreSQL's real locks."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Barrier, Thread
from typing import TypeVar

import pytest
from allauth.usersessions.models import UserSession
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.http import HttpResponse
from django.test import Client as Browser
from django.utils import timezone
from pytest_django import Settings

from authconfig.choices import Event, Method, Origin
from authconfig.clients.choices import Kind
from authconfig.models import AuthenticationSettings
from authconfig.users.changes import end_sessions
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter, Starter
from tests.support.html import Page
from tests.support.recordings import wav
from tests.support.scripted_smtp import scripted_server
from tests.support.settings_data import posted
from tests.support.smtp_servers import Server
from verification.approval import flows
from verification.approval.choices import Ending, LoginFacts, LoginState, Outcome
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code
from verification.login.rescue import make_link
from verification.login.stages import ApprovalStage
from verification.mail import claims, sending
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.sessions.choices import Approver
from verification.voicemail import flows as voicemail_flows

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
LIMIT = 20.0
HERE = Origin("192.0.2.7", "Firefox")
FACTS = LoginFacts(Kind.MYAPPS, Method.PASSWORD, HERE, "en")
BY_MAIL = {"approver": Approver.EMAIL, "origin": HERE}
PAGE = "/admin/authconfig/authenticationsettings/"
T = TypeVar("T")


@pytest.fixture(autouse=True)
def _on_postgresql() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL's locks")


def at_once(*calls: Callable[[], T]) -> list[T]:
    """Call them in threads of their own, which all start at the same moment."""
    barrier = Barrier(len(calls), timeout=LIMIT)

    def run(call: Callable[[], T]) -> T:
        try:
            connection.ensure_connection()
            barrier.wait()
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(run, call) for call in calls]
        return [future.result(LIMIT) for future in running]


def start_login(user: PbxUser) -> LoginSession:
    """Hold a login as if it were the user's first."""
    LoginSession.objects.all().delete()
    OutgoingEmail.objects.all().delete()
    AuditEvent.objects.all().delete()
    login = flows.start_login(user, FACTS)
    assert isinstance(login, LoginSession)
    return login


def count(*events: Event) -> int:
    return AuditEvent.objects.filter(event__in=events).count()


def deliver_as_a_worker() -> bool:
    """Send what is due as another process would, beside this one's own run."""
    return sending.Run().go()


@pytest.fixture(params=[5, pytest.param(50, marks=pytest.mark.long)])
def rounds(request: pytest.FixtureRequest) -> range:
    """How often people meet; the long tests give a rare meeting more chances."""
    return range(request.param)


@pytest.fixture
def server(
    two_factor: AuthenticationSettings, configure: SettingsSetter, server: Server
) -> Server:
    configure(smtp_port=server.port)
    return server


def test_one_of_many_workers_sends_a_mail(
    rounds: range, user: PbxUser, server: Server
) -> None:
    for sent in rounds:
        start_login(user)
        mail = OutgoingEmail.objects.get()

        at_once(*4 * [deliver_as_a_worker])

        mail.refresh_from_db()
        assert (mail.state, mail.attempts) == (MailState.SENT, 1)
        assert len(server.mails) == sent + 1


def steal(mail_pk: int, connected: socket.socket) -> None:
    """Take the mail over as another worker does when the lease has run out."""
    OutgoingEmail.objects.filter(pk=mail_pk).update(attempts=F("attempts") + 1)
    connection.close()
    connected.sendall(b"250 2.1.5 OK\r\n")


def test_a_worker_that_lost_its_claim_sends_and_changes_nothing(
    user: PbxUser, two_factor: AuthenticationSettings, configure: SettingsSetter
) -> None:
    start_login(user)
    mail = OutgoingEmail.objects.get()
    with scripted_server({"RCPT": partial(steal, mail.pk)}) as server:
        configure(smtp_port=server.port)

        sending.deliver_due()

    mail.refresh_from_db()
    # The connection ends without a body; the server hears of no end of one.
    assert server.bodies in ([], [b""])
    assert (mail.state, mail.attempts) == (MailState.SENDING, 2)
    assert mail.data_began_at is None
    assert count(Event.MAIL_SENT, Event.MAIL_FAILED) == 0


def test_a_worker_that_lost_its_claim_within_the_body_records_nothing(
    user: PbxUser, two_factor: AuthenticationSettings, configure: SettingsSetter
) -> None:
    start_login(user)
    mail = OutgoingEmail.objects.get()
    with scripted_server({".": partial(steal, mail.pk)}) as server:
        configure(smtp_port=server.port)

        sending.deliver_due()

    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == (MailState.SENDING, 2)
    assert count(Event.MAIL_SENT, Event.MAIL_FAILED) == 0


def test_the_sweep_and_the_worker_agree_on_an_abandoned_mail(
    rounds: range, user: PbxUser, server: Server
) -> None:
    for _ in rounds:
        start_login(user)
        server.mails.clear()
        OutgoingEmail.objects.update(
            state=MailState.SENDING, attempts=1, lease_expires_at=timezone.now()
        )

        at_once(*2 * [claims.requeue_abandoned], deliver_as_a_worker)
        sending.deliver_due()

        assert len(server.mails) == 1


def test_accepting_and_rejecting_at_once_decides_one_way(
    rounds: range, user: PbxUser, two_factor: AuthenticationSettings
) -> None:
    for _ in rounds:
        login = start_login(user)
        code = approval_code(login)

        outcomes = at_once(
            partial(flows.accept, login, code, **BY_MAIL),
            partial(flows.reject, login, **BY_MAIL),
        )

        assert sorted(outcomes) == [Outcome.DECIDED, Outcome.OVER]
        assert count(Event.LOGIN_ACCEPTED, Event.LOGIN_REJECTED) == 1
        login.refresh_from_db()
        accepted = outcomes[0] == Outcome.DECIDED
        wanted = LoginState.ACCEPTED if accepted else LoginState.REJECTED
        assert login.state == wanted


def test_the_right_code_twice_at_once_accepts_once(
    rounds: range, user: PbxUser, two_factor: AuthenticationSettings
) -> None:
    for _ in rounds:
        login = start_login(user)
        code = approval_code(login)

        outcomes = at_once(*2 * [partial(flows.accept, login, code, **BY_MAIL)])

        assert sorted(outcomes) == [Outcome.DECIDED, Outcome.OVER]
        assert count(Event.LOGIN_ACCEPTED) == 1


def test_ten_wrong_codes_at_once_get_three_tries(
    rounds: range, user: PbxUser, two_factor: AuthenticationSettings
) -> None:
    for _ in rounds:
        login = start_login(user)
        right = int(approval_code(login))
        wrong = [f"{(right + n) % 10_000:04d}" for n in range(1, 11)]

        def guess(code: str) -> Outcome:
            # As in a request of its own: each has read the row for itself.
            row = LoginSession.objects.get()
            return flows.accept(row, code, **BY_MAIL)

        at_once(*(partial(guess, code) for code in wrong))

        login.refresh_from_db()
        assert count(Event.CODE_WRONG) == 3
        assert login.status == Ending.WRONG_CODES
        assert flows.accept(login, approval_code(login), **BY_MAIL) is Outcome.OVER


def test_completing_twice_at_once_completes_once(
    rounds: range, user: PbxUser, two_factor: AuthenticationSettings
) -> None:
    for _ in rounds:
        login = start_login(user)
        flows.accept(login, approval_code(login), **BY_MAIL)

        completed = at_once(*2 * [partial(flows.complete, login, user)])

        assert sorted(completed) == [False, True]


def test_continuing_twice_at_once_makes_one_session(
    user: PbxUser, two_factor: AuthenticationSettings, start: Starter
) -> None:
    for made in range(1, 11):
        browser, copy = Browser(), Browser()
        start(browser)
        login = LoginSession.objects.pending().get()
        flows.accept(login, approval_code(login), **BY_MAIL)
        copy.cookies = browser.cookies.copy()

        answers = at_once(
            *(partial(b.post, "/login/waiting/continue/") for b in (browser, copy))
        )

        # The other finds its session gone, before or while it looks into it.
        assert {answer.status_code for answer in answers} <= {302, 400}
        assert [a.headers.get("Location") for a in answers].count("/account/") == 1
        assert UserSession.objects.count() == count(Event.LOGIN) == made
        signed_in = [b.get("/account/").status_code for b in (browser, copy)]
        assert sorted(signed_in) == [200, 302]


def test_no_session_begins_while_all_of_a_users_end(
    user: PbxUser,
    two_factor: AuthenticationSettings,
    start: Starter,
    browser: Browser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start(browser)
    login = LoginSession.objects.get()
    flows.accept(login, approval_code(login), **BY_MAIL)
    ending = Thread(target=at_once, args=[partial(end_sessions, [user])])

    exit_stage = ApprovalStage.exit

    def exit_while_all_end(stage: ApprovalStage) -> HttpResponse:
        ending.start()
        ending.join(0.5)
        return exit_stage(stage)

    monkeypatch.setattr(ApprovalStage, "exit", exit_while_all_end)

    browser.post("/login/waiting/continue/")
    ending.join(LIMIT)

    assert browser.get("/account/").status_code == 302
    assert not UserSession.objects.exists()


def test_two_logins_of_a_user_at_once_leave_one_pending(
    rounds: range, user: PbxUser, two_factor: AuthenticationSettings
) -> None:
    for _ in rounds:
        LoginSession.objects.all().delete()
        OutgoingEmail.objects.all().delete()

        at_once(*4 * [partial(flows.start_login, user, FACTS)])

        pending = LoginSession.objects.get(state=LoginState.PENDING)
        assert LoginSession.objects.filter(ending=Ending.SUPERSEDED).count() == 3
        mail = OutgoingEmail.objects.get(state=MailState.QUEUED)
        assert mail.login_mail.login == pending


def test_sending_again_twice_at_once_makes_one_mail(
    rounds: range, user: PbxUser, two_factor: AuthenticationSettings
) -> None:
    for _ in rounds:
        login = start_login(user)
        earlier = timezone.now() - timedelta(minutes=1)
        OutgoingEmail.objects.update(created_at=earlier)

        rows = [LoginSession.objects.get() for _ in range(2)]
        sent = at_once(*(partial(flows.send_again, row) for row in rows))

        assert sorted(sent) == [False, True]
        states = OutgoingEmail.objects.filter(login_mail__login=login).values_list(
            "state"
        )
        assert sorted(states) == [(MailState.EXPIRED,), (MailState.QUEUED,)]


def test_a_rescue_link_used_twice_at_once_opens_one_session(
    administrator: PbxUser,
) -> None:
    for _ in range(10):
        administrator.refresh_from_db()
        address = make_link(administrator).partition("8000")[2]

        answers = at_once(*(partial(Browser().post, address) for _ in range(2)))

        assert sorted(a.status_code for a in answers) == [302, 410]
        assert UserSession.objects.filter(user=administrator).count() == 1


def test_the_settings_row_is_made_once(rounds: range, transactional_db: None) -> None:
    for _ in rounds:
        AuthenticationSettings.objects.all().delete()

        at_once(*4 * [AuthenticationSettings.load])

        assert AuthenticationSettings.objects.count() == 1


def test_two_pages_saved_at_once_merge(admin_client_myapps: Browser) -> None:
    for _ in range(5):
        AuthenticationSettings.objects.all().delete()
        page = Page(admin_client_myapps.get(PAGE).content.decode())
        opened = page.find(name="opened")[0]["value"]
        changes = [{"smtp_sender_name": "Telephone"}, {"oauth2_domain": "b.example"}]
        forms = [posted(opened=opened, **change) for change in changes]

        answers = at_once(
            *(partial(admin_client_myapps.post, PAGE, form) for form in forms)
        )

        assert [answer.status_code for answer in answers] == [302, 302]
        row = AuthenticationSettings.load()
        assert row.smtp_sender_name == "Telephone"
        assert row.oauth2_domain == "b.example"


def test_of_two_values_saved_at_once_one_is_asked_about(
    admin_client_myapps: Browser,
) -> None:
    for _ in range(5):
        AuthenticationSettings.objects.all().delete()
        page = Page(admin_client_myapps.get(PAGE).content.decode())
        opened = page.find(name="opened")[0]["value"]
        forms = [posted(opened=opened, smtp_sender_name=name) for name in "ab"]

        answers = at_once(
            *(partial(admin_client_myapps.post, PAGE, form) for form in forms)
        )

        assert sorted(answer.status_code for answer in answers) == [200, 302]


def test_two_commands_at_once_both_set_their_key(transactional_db: None) -> None:
    AuthenticationSettings.load()
    for _ in range(10):
        AuthenticationSettings.objects.update(oauth2_domain="", smtp_sender_name="")

        at_once(
            partial(call_command, "authconfig", "set", "oauth2_domain=b.example"),
            partial(call_command, "authconfig", "set", "smtp_sender_name=Telephone"),
        )

        row = AuthenticationSettings.load()
        assert row.smtp_sender_name == "Telephone"
        assert row.oauth2_domain == "b.example"


@pytest.mark.usefixtures("server")
def test_a_voicemail_that_is_posted_twice_at_once_is_one_mail(
    rounds: range, user: PbxUser, tmp_path: Path, settings: Settings
) -> None:
    place = {"OPTIONS": {"location": str(tmp_path)}}
    recordings = settings.STORAGES["recordings"] | place
    settings.STORAGES = settings.STORAGES | {"recordings": recordings}

    def post(key: str) -> int:
        recording = ContentFile(wav(1), "a.wav")
        posted = voicemail_flows.PostedVoicemail(user.name, recording, key=key)
        taken = voicemail_flows.take(posted, HERE)
        assert isinstance(taken, OutgoingEmail), taken
        return taken.pk

    for number in rounds:
        same = partial(post, f"key {number}")
        assert len(set(at_once(same, same, same))) == 1

    assert OutgoingEmail.objects.count() == len(rounds)
    # Of those that came second nothing is left.
    assert len(list(tmp_path.iterdir())) == len(rounds)
