"""How many logins a user can have held, wherever they come from."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
import time_machine
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import Event, Method, Origin
from authconfig.clients.choices import Kind
from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter, Starter
from tests.verification.test_concurrency import at_once
from verification.approval import flows
from verification.approval.choices import LoginFacts, LoginState, Refusal
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code
from verification.mail.models import OutgoingEmail
from verification.sessions.choices import Approver

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("two_factor")]
HERE, ELSEWHERE = "192.0.2.7", "198.51.100.9"


def hold(user: PbxUser, address: str = ELSEWHERE) -> LoginSession | Refusal:
    origin = Origin(address, "Firefox")
    facts = LoginFacts(Kind.MYAPPS, Method.PASSWORD, origin, "en")
    return flows.start_login(user, facts)


def hold_many(user: PbxUser, count: int, address: str = ELSEWHERE) -> list[bool]:
    return [isinstance(hold(user, address), LoginSession) for _ in range(count)]


@pytest.fixture
def signed_in(user: PbxUser, start: Starter, configure: SettingsSetter) -> Browser:
    """Anna's browser here, with a session that may approve."""
    configure(two_factor=False)
    browser = Browser(REMOTE_ADDR=HERE)
    start(browser)
    configure(two_factor=True)
    return browser


def test_a_sixth_login_is_not_held_and_sends_nothing(user: PbxUser) -> None:
    assert hold_many(user, 7) == 5 * [True] + 2 * [False]

    assert OutgoingEmail.objects.count() == 5
    assert LoginSession.objects.pending().count() == 1
    refused = AuditEvent.objects.filter(event=Event.LOGIN_REFUSED)
    assert [event.detail for event in refused] == 2 * ["too many held logins"]


def test_changing_addresses_helps_nobody(user: PbxUser) -> None:
    held = [hold(user, f"198.51.100.{number}") for number in range(6)]

    assert isinstance(held[-1], Refusal)


def test_after_its_time_a_login_counts_no_more(user: PbxUser) -> None:
    now = timezone.now()
    for minute in range(5):
        with time_machine.travel(now + timedelta(minutes=minute), tick=False):
            hold(user)

    with time_machine.travel(now + timedelta(minutes=6), tick=False):
        refused = hold(user)
    with time_machine.travel(now + timedelta(minutes=10, seconds=1)):
        assert hold_many(user, 2) == [True, False]

    assert refused == Refusal(timedelta(minutes=4), too_many=True)


def test_logins_that_were_completed_do_not_count(user: PbxUser) -> None:
    for _ in range(7):
        login = hold(user)
        assert isinstance(login, LoginSession)
        by_mail = {"approver": Approver.EMAIL, "origin": Origin()}
        flows.accept(login, approval_code(login), **by_mail)
        assert flows.complete(login, user)

    assert LoginSession.objects.filter(state=LoginState.COMPLETED).count() == 7


def test_strangers_keep_the_owner_out_of_nothing(
    user: PbxUser, signed_in: Browser
) -> None:
    hold_many(user, 6)

    assert hold_many(user, 6, HERE) == 5 * [True] + [False]
    assert isinstance(hold(user), Refusal)


def test_logins_of_no_address_count_as_from_elsewhere(
    user: PbxUser, signed_in: Browser
) -> None:
    assert hold_many(user, 6, "") == 5 * [True] + [False]
    assert isinstance(hold(user), Refusal)


def test_a_limit_is_each_users_own(user: PbxUser, administrator: PbxUser) -> None:
    hold_many(user, 6)

    assert isinstance(hold(administrator), LoginSession)


def test_the_page_says_how_long_to_wait(user: PbxUser, start: Starter) -> None:
    hold_many(user, 5)

    response = start(Browser())

    page = response.content.decode()
    assert response.status_code == 429
    assert "Too many logins with this account" in page
    assert "possible in 10 minutes" in page


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_the_limit_holds_for_logins_at_once(
    user: PbxUser, two_factor: AuthenticationSettings
) -> None:
    at_once(*8 * [partial(hold, user)])

    assert LoginSession.objects.count() == 5
