"""Guessing has an end, whoever guesses, and keeps nobody out who is known."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from authconfig.choices import Event
from authconfig.models import CurrentRules
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import LINK, PASSWORD, SettingsSetter, Starter
from tests.support.attacks import accept_by_link
from tests.verification.test_concurrency import at_once
from verification.approval.models import LoginSession
from verification.mail.models import OutgoingEmail
from verification.redis_access import redis_client
from verification.sessions import tries
from verification.sessions.choices import Guessed, Source
from verification.sessions.models import FailureCount

pytestmark = pytest.mark.django_db
HERE, ELSEWHERE = "192.0.2.7", "198.51.100.9"
ASK = "Ask the administrator"


@pytest.fixture(autouse=True)
def _few(settings: Settings) -> None:
    settings.LIMIT_FAILURES_IN_ROW = 5


@pytest.fixture
def link(configure: SettingsSetter) -> None:
    """A site without two-factor authentication that could send links."""
    configure(verification_link=LINK, smtp_server="127.0.0.1", smtp_port=1)


def at(address: str = ELSEWHERE) -> Browser:
    return Browser(REMOTE_ADDR=address)


def guess(start: Starter, times: int = 5, address: str = ELSEWHERE, **who: str) -> None:
    for number in range(times):
        start(at(address), password=f"guess {number}", **who)
    cache.clear()


def in_row(source: Source = Source.ELSEWHERE) -> int:
    row = FailureCount.objects.filter(source=source, guessed=Guessed.PASSWORD).first()
    return row.in_row if row else 0


@pytest.mark.database
def test_after_too_many_failures_a_right_password_waits_for_an_approval_by_mail(
    link: None, start: Starter, user: PbxUser
) -> None:
    guess(start)
    browser = at()

    assert start(browser).url == "/login/waiting/"
    accept_by_link(LoginSession.objects.get())
    assert browser.post("/login/waiting/continue/").url == "/account/"

    assert OutgoingEmail.objects.count() == 1
    assert in_row() == 0
    assert start(at("203.0.113.5")).url == "/account/"


def test_one_failure_less_opens_as_ever(link: None, start: Starter) -> None:
    guess(start, 4)

    assert start(at()).url == "/account/"
    assert in_row() == 0


def test_a_session_approves_where_there_is_no_link(start: Starter) -> None:
    owner, browser = at(HERE), at()
    start(owner)
    guess(start)

    assert start(browser).url == "/login/waiting/"
    assert "/account/approvals/" in owner.get("/account/").content.decode()
    assert not OutgoingEmail.objects.exists()


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
@pytest.mark.parametrize("path", ["/login/", "/mypbx/login/"])
def test_where_nobody_approves_right_and_wrong_ones_ask_the_administrator(
    start: Starter, path: str, password: str
) -> None:
    guess(start, path=path)

    answer = start(at(), password=password, path=path)

    assert answer.status_code == 429
    assert ASK in answer.content.decode()
    assert not LoginSession.objects.exists()


def test_mypbx_asks_the_administrator_though_a_mail_could_go_out(
    link: None, start: Starter
) -> None:
    guess(start, path="/mypbx/login/")

    assert ASK in start(at(), path="/mypbx/login/").content.decode()
    assert not LoginSession.objects.exists()


@pytest.mark.parametrize("path", ["/login/", "/mypbx/login/"])
def test_known_addresses_stay_open(start: Starter, path: str) -> None:
    browser = at(HERE)
    start(browser, path=path)
    browser.post("/logout/")
    guess(start, 10, path=path)

    assert start(at(HERE), path=path).url == "/account/"
    assert in_row() == 10


def test_a_neighbour_at_a_known_address_has_no_more_guesses_than_a_stranger(
    start: Starter,
) -> None:
    browser = at(HERE)
    start(browser)
    browser.post("/logout/")
    guess(start, address=HERE)

    assert ASK in start(at(HERE)).content.decode()
    assert start(at()).url == "/account/"


def test_a_success_at_a_known_address_gives_strangers_no_new_guesses(
    start: Starter,
) -> None:
    start(at(HERE))
    guess(start)

    start(at(HERE))

    assert in_row() == 5


@pytest.mark.database
def test_a_held_login_that_nobody_approves_ends_no_row(
    link: None, start: Starter
) -> None:
    guess(start)
    start(at())

    assert in_row() == 5


@pytest.mark.parametrize("has_link", [False, True])
@pytest.mark.parametrize("path", ["/login/", "/mypbx/login/"])
def test_a_name_that_nobody_has_gets_the_same_answers(
    start: Starter, configure: SettingsSetter, path: str, has_link: bool
) -> None:
    configure(verification_link=LINK if has_link else "")

    def answers(name: str) -> list[tuple[int, str]]:
        found = [start(at(), name, f"guess {n}", path) for n in range(12)]
        pages = [re.sub(r'value="[^"]*"', "", f.content.decode()) for f in found]
        return [(f.status_code, p) for f, p in zip(found, pages, strict=True)]

    assert answers("anna") == answers("nobody")
    assert FailureCount.objects.count() == 1


@pytest.mark.database
def test_a_name_that_nobody_has_costs_the_same_queries(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CurrentRules, "MAX_AGE_SECONDS", 60.0)
    guess(start, 1)
    guess(start, 1, login="nobody")

    def queries(name: str) -> int:
        with CaptureQueriesContext(connection) as found:
            start(at(), name, "wrong")
        return len(found)

    assert queries("anna") == queries("nobody")


@pytest.mark.database
def test_strangers_names_are_kept_up_to_a_number(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tries, "NEW_NAMES_A_DAY", 3, raising=False)
    for number in range(5):
        start(at(), f"nobody {number}", "wrong")

    assert len(redis_client().keys("*:failures-in-row:*")) == 3
    answers = [start(at(HERE), "nobody 1", "wrong").status_code for _ in range(5)]
    assert answers == [200] * 4 + [429]


def test_the_password_asked_for_again_is_counted_in_the_session(
    start: Starter, settings: Settings
) -> None:
    settings.LIMIT_FAILURES_IN_ROW = 3
    browser = at(HERE)
    start(browser)
    for number in range(3):
        browser.post("/account/confirm/", {"password": f"guess {number}"})

    page = browser.post("/account/confirm/", {"password": PASSWORD})

    assert page.status_code == 200
    assert ASK in page.content.decode()
    assert in_row(Source.SESSION) == 3
    assert start(at(HERE)).url == "/account/"
    assert in_row(Source.SESSION) == 0


def test_the_password_asked_for_again_ends_the_sessions_failures(
    start: Starter,
) -> None:
    browser = at(HERE)
    start(browser)
    browser.post("/account/confirm/", {"password": "wrong"})
    assert in_row(Source.SESSION) == 1

    browser.post("/account/confirm/", {"password": PASSWORD})

    assert in_row(Source.SESSION) == 0


def test_waits_grow_with_the_failures(start: Starter, settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": "2/5m/key,3/h/key"}
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        start(at(), password="wrong")
        start(at(), password="wrong")
        first = start(at()).content.decode()
    with time_machine.travel(now + timedelta(minutes=6), tick=False):
        start(at(), password="wrong")
        second = start(at()).content.decode()

    assert "Please wait 5 minutes." in first
    assert "Please wait 54 minutes." in second


@pytest.mark.database
def test_unlocking_opens_at_once(start: Starter, user: PbxUser) -> None:
    start(at(HERE))
    for address in (HERE, ELSEWHERE):
        for number in range(10):
            start(at(address), password=f"guess {number}")
    assert start(at()).status_code == start(at(HERE)).status_code == 429

    tries.unlock(user, actor=None)

    assert start(at()).url == start(at(HERE)).url == "/account/"
    event = AuditEvent.objects.get(event=Event.USER_CHANGED)
    assert event.detail == "unlocked"


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_failures_at_once_are_all_counted(user: PbxUser) -> None:
    fail: Callable[[], int] = partial(
        tries.add_failure, user, Guessed.PASSWORD, Source.ELSEWHERE
    )
    at_once(*8 * [fail])

    assert in_row() == 8
