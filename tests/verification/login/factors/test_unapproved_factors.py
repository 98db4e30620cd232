"""A factor that was added without an approval counts after one."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter, Starter
from tests.support.attacks import accept_by_link
from tests.support.factors import (
    FACTOR_PAGE,
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
from verification.login.rescue import make_link
from verification.mail.account import account_of
from verification.mail.models import OutgoingEmail
from verification.mail.rendering import render_mail
from verification.sessions import factors
from verification.sessions.models import FactorBinding

pytestmark = pytest.mark.django_db
WAITING = "/login/waiting/"
NOT_YET = "Does not count yet"


@pytest.fixture
def existing(start: Starter) -> Browser:
    """Anna's browser, signed in while two-factor authentication was off."""
    browser = Browser()
    start(browser)
    return browser


@pytest.fixture
def app(existing: Browser, request: pytest.FixtureRequest) -> str:
    """The secret of an app that was added before two-factor was switched on."""
    secret = secret_in(add_app(existing))
    request.getfixturevalue("two_factor")
    return secret


def log_in_with(app: str, start: Starter, *, seconds: int = 30) -> Browser:
    browser = Browser()
    assert start(browser).url == FACTOR_PAGE
    with later(seconds):
        show_code(browser, totp(app))
    return browser


def approver_of_app() -> str:
    return FactorBinding.objects.get(factor__type="totp").approver


def test_its_first_login_waits_for_an_approval_and_its_next_does_not(
    app: str, start: Starter
) -> None:
    browser = log_in_with(app, start)
    assert not is_signed_in(browser)
    assert finish_by_email(browser).factor.type == "totp"  # type: ignore[union-attr]

    assert approver_of_app() == "email"
    assert AuditEvent.objects.get(event=Event.FACTOR_APPROVED).detail == "totp"
    assert is_signed_in(log_in_with(app, start, seconds=60))
    assert LoginSession.objects.count() == 1


def test_mail_and_pages_say_that_the_approval_is_about_it(
    app: str, start: Starter, existing: Browser
) -> None:
    browser = log_in_with(app, start)
    login = LoginSession.objects.get()
    mail = OutgoingEmail.objects.get(login_mail__login=login)
    message = render_mail(mail, account_of(AuthenticationSettings.load())).whole()
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    pages = [b.get("/account/").content.decode() for b in (existing,)]

    assert "This login also shows: Authenticator app, added on" in text
    assert "which nobody has approved yet" in text
    assert "You have shown: Authenticator app" in browser.get(WAITING).content.decode()
    assert "This login also shows" in pages[0]
    assert "Nobody has approved this session either" in pages[0]


def test_the_mail_of_another_login_says_nothing_of_it(held: LoginSession) -> None:
    mail = OutgoingEmail.objects.get()
    message = render_mail(mail, account_of(AuthenticationSettings.load())).whole()

    assert "also shows" not in message.as_string()


def test_a_login_without_it_leaves_it_as_it_was(
    app: str, start: Starter, browser: Browser
) -> None:
    start(browser)
    assert "Log in without it" in browser.get(FACTOR_PAGE).content.decode()

    assert browser.post(WITHOUT).url == WAITING
    assert finish_by_email(browser).factor is None

    assert approver_of_app() == ""
    assert NOT_YET in browser.get("/account/").content.decode()


def test_one_that_counts_is_not_left_out(
    app: str, start: Starter, browser: Browser
) -> None:
    finish_by_email(log_in_with(app, start))
    start(browser)

    assert "Log in without it" not in browser.get(FACTOR_PAGE).content.decode()
    assert browser.post(WITHOUT).url == FACTOR_PAGE
    assert not is_signed_in(browser)


def test_while_two_factor_is_off_none_is_left_out(
    app: str, start: Starter, browser: Browser, configure: SettingsSetter
) -> None:
    configure(two_factor=False)
    start(browser)

    assert browser.post(WITHOUT).url == FACTOR_PAGE
    assert not is_signed_in(browser)


def test_nobody_goes_on_who_has_not_begun(browser: Browser, app: str) -> None:
    assert browser.post(WITHOUT).url == "/login/"
    assert browser.get(WITHOUT).status_code == 405


def test_one_added_in_an_approved_session_counts_at_once(
    held: LoginSession, start: Starter, browser: Browser
) -> None:
    finish_by_email(browser)
    secret = secret_in(add_app(browser))

    assert set(FactorBinding.objects.values_list("approver", flat=True)) == {"email"}
    assert NOT_YET not in browser.get("/account/").content.decode()
    assert is_signed_in(log_in_with(secret, start))


def test_one_older_than_this_rule_is_asked_for_and_approved_once(
    app: str, start: Starter, browser: Browser
) -> None:
    FactorBinding.objects.all().delete()
    start(browser)
    assert browser.post(WITHOUT).url == FACTOR_PAGE

    finish_by_email(log_in_with(app, start))

    assert approver_of_app() == "email"


def accept_in(session: Browser, login: LoginSession) -> None:
    decision = {"decision": "accept", "code": approval_code(login)}
    session.post(f"/account/approvals/{login.pk}/", decision)


def test_a_session_that_nobody_approved_makes_nothing_count(
    app: str, start: Starter, existing: Browser
) -> None:
    browser = log_in_with(app, start)
    login = LoginSession.objects.get()
    accept_in(existing, login)
    assert browser.post("/login/waiting/continue/").url == "/account/"

    assert approver_of_app() == ""
    login.refresh_from_db()
    assert login.approver == "unapproved"
    # Nor does the session that came of it.
    assert factors.APPROVED_BY in UserSession.objects.latest("pk").data
    second = log_in_with(app, start, seconds=60)
    accept_in(browser, LoginSession.objects.get(state=LoginState.PENDING))
    assert second.post("/login/waiting/continue/").url == "/account/"
    assert approver_of_app() == ""


def test_a_session_that_was_approved_makes_it_count(app: str, start: Starter) -> None:
    approved = Browser()
    start(approved)
    approved.post(WITHOUT)
    finish_by_email(approved)

    browser = log_in_with(app, start)
    accept_in(approved, LoginSession.objects.get(state=LoginState.PENDING))
    browser.post("/login/waiting/continue/")

    assert approver_of_app() == "session"


def test_recovery_codes_are_approved_by_themselves(
    app: str, user: PbxUser, start: Starter
) -> None:
    """Whoever added them has seen them, be it another than the app's owner."""
    codes = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
    finish_by_email(log_in_with(app, start))
    first = Browser()
    start(first)
    show_code(first, codes[0])
    assert not is_signed_in(first)

    finish_by_email(first)

    second = Browser()
    start(second)
    show_code(second, codes[1])
    assert is_signed_in(second)


def test_codes_made_anew_in_an_approved_session_count(app: str, start: Starter) -> None:
    browser = log_in_with(app, start)
    finish_by_email(browser)

    page = browser.get("/account/").content.decode()
    assert "New ones, made now, count at once" in page

    browser.post("/account/factors/codes/new/")

    binding = FactorBinding.objects.get(factor__type="recovery_codes")
    assert binding.approver == "email"


def test_if_it_is_removed_meanwhile_the_login_goes_on_by_itself(
    app: str, start: Starter
) -> None:
    browser = log_in_with(app, start)
    Authenticator.objects.all().delete()

    assert finish_by_email(browser).factor is None
    assert not FactorBinding.objects.exists()


def prove_with(app: str, browser: Browser) -> HttpResponse:
    with later(120):
        return browser.post("/account/factors/confirm/", {"code": totp(app)})  # type: ignore[return-value]


def test_it_proves_nothing_in_a_session(app: str, existing: Browser) -> None:
    asked = existing.get("/account/confirm/").content.decode()

    assert "Use authenticator app or code" not in asked
    assert prove_with(app, existing).url == "/account/confirm/"


def test_beside_codes_that_count_it_proves_nothing_either(
    app: str, existing: Browser, user: PbxUser
) -> None:
    codes = Authenticator.objects.get(type="recovery_codes")
    factors.approve(codes.pk, user=user, approver="email")

    assert "This does not count yet" in prove_with(app, existing).content.decode()


def test_its_right_codes_give_no_new_guesses(app: str, start: Starter) -> None:
    cache.clear()
    for number in range(2):
        browser = Browser()
        start(browser)
        for _ in range(5):
            show_code(browser, "000000")
        with later(60 * number):
            show_code(browser, totp(app))

    start(browser)
    with later(200):
        page = show_code(browser, totp(app))
    assert "Too many failed logins" in page.content.decode()


def test_one_added_after_a_rescue_counts(administrator: PbxUser) -> None:
    browser = Browser()
    link = make_link(administrator)
    browser.post(link.removeprefix("http://127.0.0.1:8000"))

    add_app(browser)

    assert approver_of_app() == "rescue"


def test_while_off_a_login_with_it_leaves_a_session_that_nobody_approved(
    app: str, start: Starter, configure: SettingsSetter
) -> None:
    configure(two_factor=False)
    browser = log_in_with(app, start)

    assert is_signed_in(browser)
    assert UserSession.objects.latest("pk").data["approver"] == ""


def test_where_a_factor_is_required_it_does_not_suffice(
    app: str, start: Starter, existing: Browser, configure: SettingsSetter
) -> None:
    configure(factor_required=True)
    assert existing.get("/account/").url == "/account/factors/needed/"
    needed = existing.get("/account/factors/needed/").content.decode()
    assert 'href="/login/again/"' in needed
    assert "What you have added does not count yet" in needed

    finish_by_email(log_in_with(app, start))

    assert is_signed_in(existing)


def test_a_link_decides_about_it_from_any_browser(app: str, start: Starter) -> None:
    log_in_with(app, start)
    login = LoginSession.objects.get()
    accept_by_link(login)

    # It counts when the browser that showed it goes on, not before.
    assert approver_of_app() == ""
