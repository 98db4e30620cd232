"""Guessing at one-time codes has an end."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.test import Client as Browser
from pytest_django import Settings

from authconfig.users.models import PbxUser
from tests.conftest import LINK, SettingsSetter, Starter
from tests.support.attacks import accept_by_link
from tests.support.totp import totp
from tests.verification.login.factors.test_factors import FACTOR_PAGE, app, later
from verification.approval.models import LoginSession
from verification.login.factors.forms import guessed_by
from verification.sessions import tries
from verification.sessions.choices import Guessed, Source
from verification.sessions.models import FailureCount

pytestmark = pytest.mark.django_db
__all__ = ["app"]
HERE, ELSEWHERE = "127.0.0.1", "198.51.100.9"


@pytest.fixture(autouse=True)
def _few(settings: Settings) -> None:
    settings.LIMIT_FAILURES_IN_ROW = 5


def guess(start: Starter, code: str, address: str = ELSEWHERE, times: int = 5) -> None:
    browser = Browser(REMOTE_ADDR=address)
    start(browser)
    for _ in range(times):
        browser.post(FACTOR_PAGE, {"code": code})
    cache.clear()


def enter(start: Starter, app: str, address: str = ELSEWHERE) -> Browser:
    browser = Browser(REMOTE_ADDR=address)
    start(browser)
    with later():
        browser.post(FACTOR_PAGE, {"code": totp(app)})
    return browser


def is_in(browser: Browser) -> bool:
    return "_auth_user_id" in browser.session


def counts() -> list[tuple[str, int]]:
    rows = FailureCount.objects.filter(source=Source.ELSEWHERE)
    return list(rows.values_list("guessed", "in_row").order_by("guessed"))


@pytest.mark.database
@pytest.mark.parametrize(
    ("code", "guessed"),
    [
        ("123456", Guessed.APP_CODE),
        ("123 456", Guessed.APP_CODE),
        ("1-2-3-4-5-6", Guessed.APP_CODE),
        ("12345678", Guessed.RECOVERY_CODE),
        ("1234-5678", Guessed.RECOVERY_CODE),
    ],
)
def test_a_code_is_counted_as_what_it_could_be(
    app: str, start: Starter, code: str, guessed: Guessed
) -> None:
    guess(start, code, times=1)

    assert guessed_by(code) is guessed
    assert counts() == [(guessed, 1)]


def test_after_too_many_a_right_code_waits_for_an_approval(
    app: str, start: Starter, configure: SettingsSetter
) -> None:
    configure(verification_link=LINK, smtp_server="127.0.0.1", smtp_port=1)
    guess(start, "000000")

    browser = enter(start, app)
    assert not is_in(browser)
    accept_by_link(LoginSession.objects.get())
    browser.post("/login/waiting/continue/")

    assert is_in(browser)
    assert counts() == []


def test_where_nobody_approves_it_asks_the_administrator(
    app: str, start: Starter
) -> None:
    guess(start, "000000")
    UserSession.objects.all().delete()
    browser = Browser(REMOTE_ADDR=ELSEWHERE)
    start(browser)

    with later():
        answer = browser.post(FACTOR_PAGE, {"code": totp(app)})

    assert answer.status_code == 429
    assert "ask the administrator" in answer.content.decode()
    assert not is_in(browser)


def test_a_factor_makes_up_for_a_password_that_was_guessed_at(
    app: str, start: Starter, user: PbxUser
) -> None:
    for _ in range(5):
        tries.add_failure(user, Guessed.PASSWORD, Source.ELSEWHERE)

    assert is_in(enter(start, app))
    assert counts() == []


def test_guesses_at_recovery_codes_leave_the_app_alone(
    app: str, start: Starter
) -> None:
    guess(start, "00000000")

    assert is_in(enter(start, app))
    assert counts() == [(Guessed.RECOVERY_CODE, 5)]


def test_after_too_many_a_right_recovery_code_waits_for_an_approval(
    app: str, start: Starter, user: PbxUser, configure: SettingsSetter
) -> None:
    configure(verification_link=LINK, smtp_server="127.0.0.1", smtp_port=1)
    codes = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
    guess(start, "00000000")
    browser = Browser(REMOTE_ADDR=ELSEWHERE)
    start(browser)

    answer = browser.post(FACTOR_PAGE, {"code": codes[0]})

    assert answer.url == "/login/waiting/"
    assert not is_in(browser)


@pytest.mark.database
def test_guesses_at_a_known_address_count_for_those_alone(
    app: str, start: Starter
) -> None:
    guess(start, "000000", HERE)

    assert counts() == []
    assert is_in(enter(start, app))
    assert not is_in(enter(start, app, HERE))


def test_known_addresses_stay_open_for_codes(app: str, start: Starter) -> None:
    guess(start, "000000")

    assert is_in(enter(start, app, HERE))


@pytest.mark.database
def test_a_right_code_ends_the_failures(app: str, start: Starter) -> None:
    guess(start, "000000", times=4)

    assert is_in(enter(start, app))
    assert counts() == []
