"""What only the owner should do asks again who he is, when the login is old."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import AuthenticationType
from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from tests.conftest import PASSWORD, SettingsSetter, Starter
from tests.pbxsite.test_urls import ROUTES, address
from tests.support.directory import WINDOWS_PASSWORD
from tests.support.provider import Provider
from tests.verification.login.test_oauth2 import log_in as log_in_at
from tests.verification.login.test_oauth2 import start_at
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code

pytestmark = pytest.mark.django_db
END_OTHERS = "/account/sessions/end-others/"
CONFIRM = "/account/confirm/"
OAUTH2 = {
    "authentication_type": AuthenticationType.OAUTH2_ONLY,
    "oauth2_provider_name": "Windows",
    "oauth2_well_known_url": "https://idp.example/.well-known/openid-configuration",
    "oauth2_client_id": "pbx",
}


@pytest.fixture
def other(start: Starter) -> Browser:
    browser = Browser()
    start(browser)
    return browser


def later(minutes: float) -> time_machine.travel:
    return time_machine.travel(timezone.now() + timedelta(minutes=minutes))


def confirm(browser: Browser, password: str = PASSWORD) -> HttpResponse:
    return browser.post(CONFIRM, {"password": password, "next": END_OTHERS})


def is_signed_in(browser: Browser) -> bool:
    return browser.get("/account/").status_code == 200


def test_a_fresh_login_is_proof_enough(signed_in: Browser, other: Browser) -> None:
    with later(14):
        assert signed_in.post(END_OTHERS).url == "/account/"
        assert not is_signed_in(other)


def test_an_old_login_is_asked_for_the_password_and_goes_on_by_itself(
    signed_in: Browser, other: Browser
) -> None:
    with later(16):
        asked = signed_in.post(END_OTHERS)
        assert asked.url.startswith(f"{CONFIRM}?next=")
        assert is_signed_in(other)

        assert confirm(signed_in).url == "/account/"

        assert not is_signed_in(other)
        assert is_signed_in(signed_in)


def test_a_proof_counts_for_fifteen_minutes(signed_in: Browser) -> None:
    with later(16):
        signed_in.post(END_OTHERS)
        confirm(signed_in)
    with later(30):
        assert signed_in.post(END_OTHERS).url == "/account/"
    with later(32):
        assert signed_in.post(END_OTHERS).url.startswith(CONFIRM)


def test_a_wrong_password_ends_nothing_and_is_limited(
    signed_in: Browser, other: Browser
) -> None:
    with later(16):
        signed_in.post(END_OTHERS)
        statuses = [confirm(signed_in, "wrong").status_code for _ in range(11)]
        assert statuses[0] == 200
        assert statuses[-1] == 429
        assert is_signed_in(other)


def test_a_windows_password_proves_as_well(
    netlogon: SettingsSetter, user: PbxUser, browser: Browser
) -> None:
    browser.post("/login/", {"login": "anna", "password": WINDOWS_PASSWORD})
    with later(16):
        browser.post(END_OTHERS)
        assert confirm(browser, PASSWORD).status_code == 200
        assert confirm(browser, WINDOWS_PASSWORD).url == "/account/"


def test_where_no_password_is_taken_one_logs_in_again(
    signed_in: Browser, configure: SettingsSetter
) -> None:
    configure(**OAUTH2)

    with later(16):
        asked = signed_in.post(END_OTHERS)
        assert asked.url.startswith("/login/again/?next=")
        page = signed_in.get(asked.url).content.decode()
        assert "Windows" in page
        assert 'name="next" value="/account/"' in page
        assert signed_in.get(f"{CONFIRM}?next={END_OTHERS}").status_code == 302


def test_logging_in_again_takes_the_old_sessions_place(
    signed_in: Browser, other: Browser
) -> None:
    old = Browser()
    old.cookies = signed_in.cookies.copy()
    credentials = {"login": "anna", "password": PASSWORD}

    with later(16):
        ended = signed_in.post(f"/login/again/?next={END_OTHERS}", credentials)
        assert ended.url == "/account/"
        assert not is_signed_in(old)
        assert signed_in.post(END_OTHERS).url == "/account/"


def test_logging_in_again_to_administer_leads_back_there(
    administrator: PbxUser, browser: Browser
) -> None:
    credentials = {"login": "admin", "password": PASSWORD}
    browser.post("/login/", credentials)

    ended = browser.post("/login/again/?next=/admin/users/pbxuser/", credentials)

    assert ended.url == "/admin/users/pbxuser/"


def test_the_browser_that_began_a_login_never_approves_it(
    signed_in: Browser, other: Browser, two_factor: AuthenticationSettings
) -> None:
    credentials = {"login": "anna", "password": PASSWORD}
    assert signed_in.post("/login/again/", credentials).url == "/login/waiting/"
    login = LoginSession.objects.get()
    decision = {"decision": "accept", "code": approval_code(login)}
    address = f"/account/approvals/{login.pk}/"

    assert 'name="decision"' not in signed_in.get("/account/").content.decode()
    assert 'name="decision"' not in signed_in.get("/login/waiting/").content.decode()
    assert signed_in.post(address, decision).status_code == 410
    login.refresh_from_db()
    assert login.status == "pending"

    other.post(address, decision)
    login.refresh_from_db()
    assert login.status == "accepted"


def grow_old(browser: Browser) -> None:
    """Let the login be long ago without a clock that the provider does not share."""
    session = browser.session
    session["began_at"] -= 16 * 60
    session.save()


FACTORS = [
    route
    for route in ROUTES
    if re.match("account/factors/(app|passkeys|codes)/", route)
    and route not in ("account/factors/passkeys/", "account/factors/passkeys/confirm/")
]


@pytest.mark.parametrize("route", FACTORS)
def test_pages_that_change_a_factor_ask_an_old_login(
    signed_in: Browser, route: str
) -> None:
    for method in (signed_in.get, signed_in.post):
        with later(14):
            assert (
                not method(address(route))
                .headers.get("Location", "")
                .startswith(CONFIRM)
            )
        with later(16):
            assert method(address(route)).url.startswith(f"{CONFIRM}?next=")


def test_the_provider_proves_whom_it_was_told_to_ask(
    user: PbxUser,
    browser: Browser,
    configure: SettingsSetter,
    provider: Provider,
    other: Browser,
) -> None:
    configure(**provider.settings(authentication_type=AuthenticationType.OAUTH2_ONLY))
    log_in_at(browser, provider, "1")
    grow_old(browser)
    key = browser.session.session_key

    assert browser.post(END_OTHERS).url.startswith("/login/again/?next=")
    assert "prompt=login" in start_at(browser, next="/account/")
    assert log_in_at(browser, provider, "1", next="/account/").url == "/account/"

    assert browser.session.session_key == key
    assert browser.post(END_OTHERS).url == "/account/"
    assert not is_signed_in(other)


def test_who_changes_what_the_provider_is_asked_proves_nothing(
    user: PbxUser, browser: Browser, configure: SettingsSetter, provider: Provider
) -> None:
    configure(**provider.settings(authentication_type=AuthenticationType.OAUTH2_ONLY))
    log_in_at(browser, provider, "1")
    grow_old(browser)

    address = re.sub(r"&?(prompt=login|max_age=\d+)", "", start_at(browser))
    back = provider.log_in(address, "1")
    browser.get(back.removeprefix("http://127.0.0.1:8000"))

    assert browser.post(END_OTHERS).url.startswith("/login/again/")


def test_another_account_at_the_provider_proves_nothing(
    user: PbxUser, browser: Browser, configure: SettingsSetter, provider: Provider
) -> None:
    configure(**provider.settings(authentication_type=AuthenticationType.OAUTH2_ONLY))
    log_in_at(browser, provider, "1")
    grow_old(browser)

    for account in ("3", "4"):
        log_in_at(browser, provider, account, next="/account/")
        assert browser.post(END_OTHERS).url.startswith("/login/again/")


PAGE = "/admin/authconfig/authenticationsettings/"


@pytest.fixture
def administers(administrator: PbxUser, start: Starter, browser: Browser) -> Browser:
    start(browser, "admin")
    return browser


def save(browser: Browser, **values: str) -> str:
    """Save another PBX domain and return the answer's words."""
    shown = browser.get(PAGE).context["form"]
    kept = {n: shown[n].value() for n in shown.fields}
    posted = {n: v for n, v in kept.items() if v not in (None, "", False)}
    answer = browser.post(
        PAGE, posted | {"pbx_domain": "pbx.test"} | values, follow=True
    )
    return answer.content.decode()


def domain() -> str:
    return AuthenticationSettings.load().pbx_domain


def test_settings_are_saved_soon_after_a_login(administers: Browser) -> None:
    assert "Saved: PBX domain" in save(administers)


def test_settings_ask_an_old_login_for_the_password(administers: Browser) -> None:
    with later(16):
        page = save(administers)
        assert "Nothing was saved." in page
        assert "Enter your password, then save." in page
        assert 'value="pbx.test"' in page
        assert 'name="own_password"' in page
        assert domain() == ""

        assert "not your password" in save(administers, own_password="wrong")
        assert domain() == ""

        assert "Saved: PBX domain" in save(administers, own_password=PASSWORD)
        assert domain() == "pbx.test"
        assert "Saved: PBX domain" in save(administers, pbx_domain="other.test")


def test_the_password_is_kept_and_shown_nowhere(administers: Browser) -> None:
    with later(16):
        pages = [save(administers, own_password=word) for word in ("wrong!!", PASSWORD)]

    assert PASSWORD not in "".join(pages)
    assert "wrong!!" not in "".join(pages)
    assert PASSWORD not in str(administers.session.items())


def test_guesses_at_it_are_limited(administers: Browser) -> None:
    with later(16):
        for number in range(10):
            save(administers, own_password=f"guess {number}")
        page = save(administers, own_password=PASSWORD)
        assert domain() == ""
        assert "Nothing was saved." in page


def test_an_administrator_without_a_password_logs_in_again_to_save(
    administers: Browser, configure: SettingsSetter
) -> None:
    configure(**OAUTH2)
    with later(16):
        page = save(administers)
        assert "Log in again, then save." in page
        assert f'href="/login/again/?next={PAGE}"' in page
        assert domain() == ""


def test_a_session_from_before_says_nothing_of_now(administrator: PbxUser) -> None:
    browser = Browser()
    browser.force_login(administrator)
    session = browser.session
    session["kind"] = "myapps"
    session.save()
    browser.get("/account/")

    assert browser.post(END_OTHERS).url.startswith(CONFIRM)
