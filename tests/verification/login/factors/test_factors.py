"""Passkeys and one-time codes beside e-mail: who is asked for one, and when."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client as Browser
from django.test import override_settings

from authconfig.choices import Event
from authconfig.fields import decrypted
from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import Starter
from tests.support.factors import (
    FACTOR_PAGE,
    add_app,
    approve_all,
    later,
    secret_in,
)
from tests.support.totp import totp
from verification.approval.models import LoginSession
from verification.mail.models import OutgoingEmail
from verification.sessions.choices import Approver
from verification.sessions.factors import factors_of, passkey_fault, remove_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def app(start: Starter, user: PbxUser) -> str:
    """Anna's app, added under Account security; returns its secret."""
    signed_in = Browser()
    start(signed_in)
    return secret_in(add_app(signed_in))


def test_a_user_with_an_app_is_asked_for_its_code_instead_of_an_email(
    app: str,
    user: PbxUser,
    two_factor: AuthenticationSettings,
    browser: Browser,
    start: Starter,
) -> None:
    approve_all(user)
    assert start(browser).url == FACTOR_PAGE
    assert "_auth_user_id" not in browser.session

    with later():
        answer = browser.post(FACTOR_PAGE, {"code": totp(app)})

    assert answer.url == "/account/"
    assert browser.get("/account/").status_code == 200
    assert not LoginSession.objects.exists()
    assert not OutgoingEmail.objects.exists()
    login = AuditEvent.objects.filter(event=Event.LOGIN).latest("pk")
    assert login.detail == Approver.FACTOR


def test_the_code_is_asked_for_while_two_factor_is_off_as_well(
    app: str, browser: Browser, start: Starter
) -> None:
    assert start(browser).url == FACTOR_PAGE


def test_a_wrong_code_opens_nothing(app: str, browser: Browser, start: Starter) -> None:
    start(browser)

    answer = browser.post(FACTOR_PAGE, {"code": "000000"})

    assert answer.status_code == 200
    assert "This was not accepted" in answer.content.decode()
    assert "_auth_user_id" not in browser.session


def test_a_session_from_before_the_password_passes_with_nobodys_code(
    app: str, browser: Browser, start: Starter
) -> None:
    thief = Browser()
    assert thief.session.session_key
    browser.cookies = thief.cookies.copy()

    start(browser)

    assert thief.get(FACTOR_PAGE).url == "/login/"
    assert browser.get(FACTOR_PAGE).status_code == 200


def test_a_code_counts_once(app: str, start: Starter) -> None:
    with later():
        code = totp(app)
        first, second = Browser(), Browser()
        start(first)
        start(second)

        assert first.post(FACTOR_PAGE, {"code": code}).status_code == 302
        assert second.post(FACTOR_PAGE, {"code": code}).status_code == 200


def test_ten_tries_are_the_limit(app: str, browser: Browser, start: Starter) -> None:
    start(browser)
    for _ in range(10):
        browser.post(FACTOR_PAGE, {"code": "000000"})

    with later():
        answer = browser.post(FACTOR_PAGE, {"code": totp(app)})

    assert "_auth_user_id" not in browser.session
    assert "Too many failed logins" in answer.content.decode()


def guess(start: Starter, address: str, times: int) -> Browser:
    """Somebody who knows the password, but has no second factor."""
    stranger = Browser(REMOTE_ADDR=address)
    start(stranger)
    for _ in range(times):
        stranger.post(FACTOR_PAGE, {"code": "000000"})
    return stranger


def is_let_in(browser: Browser, app: str) -> bool:
    with later():
        browser.post(FACTOR_PAGE, {"code": totp(app)})
    return "_auth_user_id" in browser.session


def test_strangers_guesses_keep_the_owner_out_of_nothing(
    app: str, browser: Browser, start: Starter
) -> None:
    stranger = guess(start, "192.0.2.9", 10)
    other = guess(start, "192.0.2.10", 0)

    assert not is_let_in(stranger, app)
    assert not is_let_in(other, app)
    start(browser)
    assert is_let_in(browser, app)


def test_the_password_alone_makes_no_address_a_known_one(
    app: str, start: Starter
) -> None:
    for number in (9, 10):
        start(Browser(REMOTE_ADDR=f"192.0.2.{number}"), path="/mypbx/login/")

    guess(start, "192.0.2.9", 5)
    stranger = guess(start, "192.0.2.10", 5)

    assert not is_let_in(stranger, app)


def test_proving_oneself_is_limited_by_the_same_count(app: str, start: Starter) -> None:
    signed_in = Browser()
    start(signed_in)
    assert is_let_in(signed_in, app)
    cache.clear()

    guess(start, "127.0.0.1", 10)
    with later(120):
        page = signed_in.post("/account/factors/confirm/", {"code": totp(app)})

    assert "Too many failed logins" in page.content.decode()


def facts(event: Event) -> list[tuple[str, str, str | None]]:
    found = AuditEvent.objects.filter(event=event)
    return list(found.values_list("user_name", "detail", "address"))


WRONG_ANSWERS = [
    {"code": "000000"},
    {"credential": '{"id": "made up"}'},
    {"credential": "7"},
    {
        "credential": '{"id": "AA", "rawId": "AA", "type": "public-key", "response":'
        ' {"clientDataJSON": "AA", "authenticatorData": "AA", "signature": "AA"}}'
    },
]


@pytest.mark.parametrize("answer", WRONG_ANSWERS)
def test_the_right_password_without_the_factor_leaves_a_trace(
    app: str, start: Starter, browser: Browser, answer: dict[str, str]
) -> None:
    stranger = guess(start, "192.0.2.9", 0)
    assert facts(Event.FACTOR_ASKED) == [("anna", "", "192.0.2.9")]
    assert not facts(Event.LOGIN_HELD)

    for _ in range(12):
        stranger.post(FACTOR_PAGE, answer)

    # As many as are looked at or, of passkeys, as the log has room for.
    assert facts(Event.LOGIN_FAILED) == [("anna", "factor", "192.0.2.9")] * 10
    start(browser)
    assert is_let_in(browser, app)
    shown = browser.get("/account/").content.decode()
    assert "A login failed" in shown
    assert "A login waited for the second factor" in shown
    assert "waited for approval" not in shown


def test_a_failed_proof_leaves_a_trace(
    app: str, start: Starter, browser: Browser
) -> None:
    start(browser)
    assert is_let_in(browser, app)

    browser.post("/account/factors/confirm/", {"code": "000000"})

    assert facts(Event.LOGIN_FAILED) == [("anna", "factor", "127.0.0.1")]


def test_a_recovery_code_logs_in_once(app: str, user: PbxUser, start: Starter) -> None:
    code = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()[0]
    first, second = Browser(), Browser()
    start(first)
    start(second)

    assert first.post(FACTOR_PAGE, {"code": code}).status_code == 302
    assert second.post(FACTOR_PAGE, {"code": code}).status_code == 200
    assert factors_of(user).recovery_codes_left == 9


@pytest.mark.parametrize(
    "change",
    [
        lambda user: PbxUser.objects.filter(pk=user.pk).update(is_active=False),
        lambda user: (user.set_password("another long one"), user.save()),
        lambda user: user.delete(),
    ],
    ids=["deactivated", "password changed", "deleted"],
)
def test_what_happened_while_the_code_was_asked_for_is_seen(
    app: str, user: PbxUser, browser: Browser, start: Starter, change: object
) -> None:
    start(browser)
    change(user)  # type: ignore[operator]

    with later():
        answer = browser.post(FACTOR_PAGE, {"code": totp(app)})

    assert answer.url == "/login/"
    assert "_auth_user_id" not in browser.session


def test_mypbx_has_no_second_factor_and_its_session_changes_none(
    app: str, browser: Browser, start: Starter
) -> None:
    assert start(browser, path="/mypbx/login/").url == "/account/"
    assert browser.get("/account/factors/app/remove/").status_code == 403
    assert browser.get("/account/factors/passkeys/add/").status_code == 403


def test_a_mypbx_session_makes_way_for_the_question(
    app: str, browser: Browser, start: Starter
) -> None:
    start(browser, path="/mypbx/login/")
    start(browser)

    assert browser.get(FACTOR_PAGE).status_code == 200


def test_cancel_forgets_the_login(app: str, browser: Browser, start: Starter) -> None:
    start(browser)

    browser.post("/login/waiting/cancel/")

    assert browser.get(FACTOR_PAGE).url == "/login/"


def test_secrets_lie_encrypted(app: str) -> None:
    stored = Authenticator.objects.get(type="totp").data["secret"]

    assert app not in stored
    assert decrypted(stored) == app


def test_no_key_for_the_secret_means_closed(
    app: str, browser: Browser, start: Starter
) -> None:
    start(browser)

    with override_settings(ENCRYPTION_KEYS=["another key that opens nothing"]):
        answer = browser.post(FACTOR_PAGE, {"code": "123456"})

    assert answer.status_code == 200
    assert "_auth_user_id" not in browser.session


def test_adding_and_removing_is_in_the_audit_log(
    user: PbxUser,
    browser: Browser,
    start: Starter,
) -> None:
    start(browser)
    add_app(browser)
    assert browser.get("/account/factors/codes/").status_code == 200

    browser.post("/account/factors/app/remove/")

    assert not Authenticator.objects.exists()
    events = AuditEvent.objects.filter(event__startswith="factor_").order_by("pk")
    assert [(e.event, e.detail) for e in events] == [
        ("factor_added", "totp"),
        ("factor_added", "recovery_codes"),
        ("factor_removed", "totp"),
        ("factor_removed", "recovery_codes"),
    ]


def test_an_administrator_removes_the_factors_of_a_user_who_lost_them(
    app: str,
    user: PbxUser,
    administrator: PbxUser,
    two_factor: AuthenticationSettings,
    browser: Browser,
    start: Starter,
) -> None:
    remove_all(user, actor=administrator)

    assert start(browser).url == "/login/waiting/"
    event = AuditEvent.objects.get(event=Event.FACTOR_REMOVED)
    assert (event.user, event.actor) == (user, administrator)


@pytest.mark.parametrize(
    ("address", "offered"),
    [
        ("https://pbx.example", True),
        ("http://localhost:8000", True),
        ("https://192.0.2.1", False),
        ("http://127.0.0.1:8000", False),
        ("https://[2001:db8::1]", False),
        ("http://pbx.example", False),
    ],
)
def test_passkeys_need_a_host_name_and_https(address: str, offered: bool) -> None:
    with override_settings(SITE_URL=address):
        assert (passkey_fault() == "") is offered


def test_the_page_says_why_there_are_no_passkeys(
    user: PbxUser, browser: Browser, start: Starter
) -> None:
    start(browser)

    assert "belongs to a host name" in browser.get("/account/").content.decode()
    add = browser.get("/account/factors/passkeys/add/")
    assert add.url == "/account/factors/"
