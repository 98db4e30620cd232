from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import Event, Method, Origin
from authconfig.clients.choices import Kind
from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter, Starter
from verification.approval import flows
from verification.approval.choices import Ending, LoginFacts, Outcome, Refusal
from verification.approval.links import find_by_link
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code, link_token
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.sessions.choices import Approver

pytestmark = pytest.mark.database

HERE = Origin("192.0.2.7", "Firefox")
FACTS = LoginFacts(Kind.MYAPPS, Method.PASSWORD, HERE, "en")
BY_MAIL = {"approver": Approver.EMAIL, "origin": HERE}


@pytest.fixture
def login(user: PbxUser, two_factor: AuthenticationSettings) -> LoginSession:
    started = flows.start_login(user, FACTS)
    assert isinstance(started, LoginSession)
    return started


def test_a_login_is_held_with_one_mail(login: LoginSession) -> None:
    mail = OutgoingEmail.objects.get()

    assert login.status == "pending"
    assert (mail.login_mail.login, mail.recipient) == (login, "anna@example.com")
    assert mail.expires_at == login.expires_at


def test_the_right_code_accepts_once(login: LoginSession) -> None:
    code = approval_code(login)

    outcomes = [flows.accept(login, code, **BY_MAIL) for _ in range(2)]

    assert outcomes == [Outcome.DECIDED, Outcome.OVER]


def test_no_code_begins_with_a_zero() -> None:
    logins = [LoginSession(public_id=UUID(int=number)) for number in range(500)]

    assert all(1000 <= int(approval_code(login)) <= 9999 for login in logins)


def test_three_wrong_codes_end_the_login(login: LoginSession) -> None:
    wrong = f"{(int(approval_code(login)) + 1) % 10_000:04d}"

    outcomes = [flows.accept(login, wrong, **BY_MAIL) for _ in range(4)]

    assert outcomes == [
        *(Outcome.WRONG_CODE, Outcome.WRONG_CODE),
        *(Outcome.ENDED, Outcome.OVER),
    ]
    login.refresh_from_db()
    assert login.status == Ending.WRONG_CODES


def test_after_two_wrong_codes_the_right_one_still_accepts(login: LoginSession) -> None:
    wrong = f"{(int(approval_code(login)) + 1) % 10_000:04d}"
    for _ in range(2):
        flows.accept(login, wrong, **BY_MAIL)

    assert flows.accept(login, approval_code(login), **BY_MAIL) is Outcome.DECIDED


def test_rejecting_needs_no_code_and_is_final(login: LoginSession) -> None:
    assert flows.reject(login, **BY_MAIL) is Outcome.DECIDED
    assert flows.accept(login, approval_code(login), **BY_MAIL) is Outcome.OVER


def test_a_newer_login_ends_the_older_one(login: LoginSession, user: PbxUser) -> None:
    token = link_token(login)

    flows.start_login(user, FACTS)

    login.refresh_from_db()
    assert login.status == Ending.SUPERSEDED
    assert find_by_link(token) is None
    assert OutgoingEmail.objects.get(login_mail__login=login).state == MailState.EXPIRED


def test_an_expired_login_cannot_be_decided(login: LoginSession) -> None:
    with time_machine.travel(timezone.now() + timedelta(minutes=10, seconds=1)):
        assert flows.accept(login, approval_code(login), **BY_MAIL) is Outcome.OVER
        assert flows.reject(login, **BY_MAIL) is Outcome.OVER
        assert login.status == "expired"


def test_a_login_can_start_after_one_expired(
    login: LoginSession, user: PbxUser
) -> None:
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        assert isinstance(flows.start_login(user, FACTS), LoginSession)


def test_an_accepted_login_completes_once(login: LoginSession, user: PbxUser) -> None:
    flows.accept(login, approval_code(login), **BY_MAIL)

    assert [flows.complete(login, user) for _ in range(2)] == [True, False]


def test_an_accepted_login_that_expired_does_not_complete(
    login: LoginSession, user: PbxUser
) -> None:
    flows.accept(login, approval_code(login), **BY_MAIL)

    with time_machine.travel(timezone.now() + timedelta(minutes=10, seconds=1)):
        assert not flows.complete(login, user)


def test_a_pending_login_does_not_complete(login: LoginSession, user: PbxUser) -> None:
    assert not flows.complete(login, user)


def _deactivate(user: PbxUser) -> None:
    PbxUser.objects.filter(pk=user.pk).update(is_active=False)


def _change_password(user: PbxUser) -> None:
    user.set_password("another long password")
    user.save()


@pytest.mark.parametrize("change", [_deactivate, _change_password])
def test_what_changed_while_waiting_stops_the_login(
    login: LoginSession, user: PbxUser, change: Callable[[PbxUser], None]
) -> None:
    flows.accept(login, approval_code(login), **BY_MAIL)

    change(user)

    assert not flows.complete(login, user)


def test_another_users_login_does_not_complete(
    login: LoginSession, administrator: PbxUser
) -> None:
    flows.accept(login, approval_code(login), **BY_MAIL)

    assert not flows.complete(login, administrator)


def test_without_mail_and_session_the_login_is_refused(
    user: PbxUser, two_factor: AuthenticationSettings
) -> None:
    PbxUser.objects.update(email="")
    user.refresh_from_db()

    assert flows.start_login(user, FACTS) == Refusal()
    assert not LoginSession.objects.exists()
    assert AuditEvent.objects.filter(event=Event.LOGIN_REFUSED).exists()


@pytest.mark.parametrize(("rejections", "minutes"), [(1, 1), (2, 5), (3, 15), (4, 15)])
def test_rejections_make_further_logins_wait(
    user: PbxUser,
    two_factor: AuthenticationSettings,
    rejections: int,
    minutes: int,
) -> None:
    now = timezone.now()
    for number in range(rejections):
        with time_machine.travel(now + timedelta(hours=number), tick=False):
            started = flows.start_login(user, FACTS)
            assert isinstance(started, LoginSession)
            flows.reject(started, **BY_MAIL)
    rejected_at = now + timedelta(hours=rejections - 1)

    with time_machine.travel(rejected_at + timedelta(seconds=1)):
        refused = flows.start_login(user, FACTS)
    with time_machine.travel(rejected_at + timedelta(minutes=minutes, seconds=1)):
        started = flows.start_login(user, FACTS)

    assert isinstance(refused, Refusal)
    assert refused.wait
    assert isinstance(started, LoginSession)


def test_wrong_codes_make_nobody_wait(login: LoginSession, user: PbxUser) -> None:
    for _ in range(3):
        flows.accept(login, "none", **BY_MAIL)

    assert isinstance(flows.start_login(user, FACTS), LoginSession)


def test_an_address_with_an_approved_session_never_waits(
    login: LoginSession,
    user: PbxUser,
    start: Starter,
    configure: SettingsSetter,
) -> None:
    flows.reject(login, **BY_MAIL)
    configure(two_factor=False)
    start(Browser(REMOTE_ADDR="192.0.2.7"))

    assert isinstance(flows.start_login(user, FACTS), LoginSession)


def test_sending_again_voids_the_older_link(login: LoginSession) -> None:
    older = link_token(login)

    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        assert flows.send_again(login)

    assert find_by_link(older) is None
    assert find_by_link(link_token(login)) == login
    states = OutgoingEmail.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == [MailState.EXPIRED, MailState.QUEUED]


def test_sending_again_has_to_wait_and_ends(login: LoginSession) -> None:
    now = timezone.now()
    sent = []
    for number in range(5):
        with time_machine.travel(now + timedelta(seconds=31 * number)):
            sent.append(flows.send_again(login))

    assert sent == [False, True, True, True, False]


def test_a_login_that_rolls_back_leaves_nothing(
    user: PbxUser, two_factor: AuthenticationSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(login: LoginSession) -> None:
        raise RuntimeError

    monkeypatch.setattr(flows, "_queue_link", fail)
    with pytest.raises(RuntimeError):
        flows.start_login(user, FACTS)

    assert not LoginSession.objects.exists()
    assert not OutgoingEmail.objects.exists()


def test_the_code_is_stored_nowhere(login: LoginSession) -> None:
    code = approval_code(login)
    row = LoginSession.objects.filter(pk=login.pk).values().get()

    assert code.isdigit()
    assert len(code) == 4
    fields = {k: v for k, v in row.items() if k not in ("auth_hash", "public_id")}
    assert not [k for k, v in fields.items() if str(v) == code]


@pytest.mark.parametrize(
    "token", ["", "x", "WzEsMV0:1abc:def", "a" * 5000, "\0", "::::"]
)
def test_a_forged_link_finds_nothing(login: LoginSession, token: str) -> None:
    assert find_by_link(token) is None


def test_a_tampered_link_finds_nothing(login: LoginSession) -> None:
    token = link_token(login)
    for position in range(0, len(token), 7):
        changed = "A" if token[position] != "A" else "B"
        forged = token[:position] + changed + token[position + 1 :]
        assert find_by_link(forged) is None or forged == token


def test_an_administrator_ends_a_waiting_login(
    login: LoginSession, administrator: PbxUser
) -> None:
    assert flows.end(login, actor=administrator)
    assert not flows.end(login, actor=administrator)
