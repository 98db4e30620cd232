"""Second factors that somebody adds who knows the password alone."""

from __future__ import annotations

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client as Browser

from authconfig.models import AuthenticationSettings
from tests.conftest import SettingsSetter, Starter
from tests.support.attacks import decide_by_link
from tests.support.factors import (
    WITHOUT,
    add_app,
    finish_by_email,
    is_signed_in,
    later,
    secret_in,
    show_code,
)
from tests.support.totp import totp
from verification.approval.choices import LoginState
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code
from verification.sessions.models import FactorBinding
from verification.sessions.signed_in import never_approved

pytestmark = pytest.mark.django_db


@pytest.fixture
def stranger(start: Starter) -> Browser:
    """Signed in by Anna's password, before two-factor was switched on."""
    browser = Browser(REMOTE_ADDR="192.0.2.9")
    start(browser)
    return browser


@pytest.fixture
def app(stranger: Browser, request: pytest.FixtureRequest) -> str:
    """The secret of the stranger's app; two-factor is on from then on."""
    secret = secret_in(add_app(stranger))
    request.getfixturevalue("two_factor")
    return secret


def try_with(app: str, start: Starter, *, seconds: int = 30) -> Browser:
    browser = Browser(REMOTE_ADDR="192.0.2.10")
    start(browser)
    with later(seconds):
        show_code(browser, totp(app))
    return browser


def counting() -> int:
    return FactorBinding.objects.exclude(approver="").count()


def test_a_strangers_factor_is_no_second_factor(app: str, start: Starter) -> None:
    assert not is_signed_in(try_with(app, start))
    assert counting() == 0


def test_the_owner_gets_in_without_it(app: str, start: Starter) -> None:
    owner = Browser()
    start(owner)
    owner.post(WITHOUT)
    finish_by_email(owner)

    assert is_signed_in(owner)
    assert counting() == 0


def test_what_the_owner_approves_for_themselves_makes_it_no_better(
    app: str, start: Starter
) -> None:
    owner = Browser()
    start(owner)
    owner.post(WITHOUT)
    finish_by_email(owner)

    assert not is_signed_in(try_with(app, start))


def test_the_owner_rejects_it(app: str, start: Starter) -> None:
    browser = try_with(app, start)
    decide_by_link(LoginSession.objects.get(), "reject")

    assert browser.post("/login/waiting/continue/").url == "/login/waiting/"
    assert counting() == 0


def test_a_session_from_before_the_switch_blesses_no_factor(
    app: str, stranger: Browser, start: Starter
) -> None:
    browser = try_with(app, start)
    login = LoginSession.objects.get(state=LoginState.PENDING)
    decision = {"decision": "accept", "code": approval_code(login)}
    stranger.post(f"/account/approvals/{login.pk}/", decision)
    browser.post("/login/waiting/continue/")
    assert is_signed_in(browser)

    browser.post("/account/factors/codes/new/")

    assert counting() == 0


def test_a_session_by_the_strangers_factor_adds_none_that_counts(
    app: str, start: Starter, configure: SettingsSetter
) -> None:
    configure(two_factor=False)
    by_factor = try_with(app, start)
    assert is_signed_in(by_factor)

    by_factor.post("/account/factors/codes/new/")

    assert counting() == 0
    assert set(never_approved()) == set(UserSession.objects.all())


def test_a_factor_shown_to_one_login_approves_no_other(
    app: str, start: Starter
) -> None:
    by_app = try_with(app, start)
    owner = Browser()
    start(owner)
    owner.post(WITHOUT)
    assert LoginSession.objects.filter(factor=None).count() == 1
    finish_by_email(owner)

    assert by_app.post("/login/waiting/continue/").url == "/login/waiting/"
    assert counting() == 0


def test_the_mark_of_a_shown_factor_is_the_servers_own(
    two_factor: AuthenticationSettings, start: Starter
) -> None:
    """A login with nothing but the password does not get past by posting a code."""
    browser = Browser()
    start(browser)

    answer = show_code(browser, "000000")

    assert answer.url == "/login/"
    assert not is_signed_in(browser)
