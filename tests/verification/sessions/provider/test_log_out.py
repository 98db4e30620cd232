"""What the OpenID provider ends: the very session, or all of an account."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from allauth.usersessions.models import UserSession
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import Event
from authconfig.oauth2.logout_tokens import LogoutToken
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import LINK, SettingsSetter, Starter
from tests.support.logout_tokens import PATH, logout_token, post
from tests.support.oauth2_logins import come_back, is_signed_in, leads_to, log_in, start
from tests.support.provider import Provider, running_provider
from tests.support.scripted_provider import Scripted
from verification.approval.models import LoginSession
from verification.sessions.models import ProviderLogin, SpentLogoutToken
from verification.sessions.provider.logins import log_out
from verification.sessions.tasks import clear_expired_sessions

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def telling(live_server: Any) -> Iterator[Provider]:
    """A certified provider that tells this site of log-outs."""
    with running_provider(tells=f"{live_server.url}{PATH}") as running:
        yield running


@pytest.mark.django_db(transaction=True)
def test_whoever_logs_out_there_is_out_here_within_two_seconds(
    telling: Provider, configure: SettingsSetter, user: PbxUser, browser: Browser
) -> None:
    configure(**telling.settings(authentication_type="pbx_and_oauth2"))
    there = requests.Session()
    back = telling.log_in(leads_to(start(browser)), "1", there)
    come_back(browser, back)
    assert browser.get("/account/").status_code == 200
    assert ProviderLogin.objects.get().sid

    begun = time.monotonic()
    telling.log_out(there)
    while UserSession.objects.exists() and time.monotonic() < begun + 5:
        time.sleep(0.05)

    assert time.monotonic() - begun < 2
    assert browser.get("/account/").status_code == 302
    assert (
        AuditEvent.objects.filter(event=Event.PROVIDER_LOGOUT, user=user).count() == 1
    )


def sid_login(script: Scripted, sid: str) -> Browser:
    browser = Browser()
    script.claims = {"sid": sid}
    log_in(browser, script)
    assert browser.get("/account/").status_code == 200
    return browser


def is_in(browser: Browser) -> bool:
    return browser.get("/account/").status_code == 200


def test_a_sid_ends_its_session_alone(script: Scripted) -> None:
    one, other = sid_login(script, "one"), sid_login(script, "other")
    answer = post(logout_token(script, {"sid": "one"}))
    assert (answer.status_code, answer.content) == (200, b"")
    assert "no-store" in answer["Cache-Control"]
    assert [is_in(one), is_in(other)] == [False, True]


def test_a_sid_may_come_without_a_subject(script: Scripted) -> None:
    one, other = sid_login(script, "one"), sid_login(script, "other")
    assert post(logout_token(script, {"sid": "one", "sub": None})).status_code == 200
    assert [is_in(one), is_in(other)] == [False, True]


def test_a_subject_ends_all_of_its_sessions_and_no_other(
    script: Scripted, start: Starter
) -> None:
    by_password = Browser()
    start(by_password)
    one, other = sid_login(script, "one"), sid_login(script, "other")
    assert post(logout_token(script, {})).status_code == 200
    assert [is_in(each) for each in (one, other, by_password)] == [False, False, True]


def test_a_session_of_an_older_release_ends_with_its_subject(script: Scripted) -> None:
    browser = sid_login(script, "one")
    ProviderLogin.objects.all().delete()
    assert post(logout_token(script, {})).status_code == 200
    assert not is_in(browser)


def test_an_unknown_one_is_out_already(script: Scripted) -> None:
    browser = sid_login(script, "one")
    for claims in ({"sub": "2"}, {"sid": "two"}, {"sub": "2", "sid": "one"}):
        assert post(logout_token(script, claims)).status_code == 200
    assert is_in(browser)


def test_another_providers_words_end_nothing_of_this_one(script: Scripted) -> None:
    browser = sid_login(script, "one")

    for issuer in ("https://a.example", "https://b.example"):
        token = LogoutToken(issuer, token_id="same", subject="1", sid="one")
        assert log_out(token) == 0

    assert is_in(browser)


def test_a_login_that_waits_begins_no_session(
    script: Scripted, two_factor: Any, configure: SettingsSetter, browser: Browser
) -> None:
    configure(**script.settings(two_factor=True, verification_link=LINK))
    log_in(browser, script)
    LoginSession.objects.update(
        state="accepted", approver="email", decided_at=timezone.now()
    )
    assert post(logout_token(script, {})).status_code == 200
    browser.post("/login/waiting/continue/", follow=True)
    assert not is_signed_in(browser)
    assert "ended the login meanwhile" in AuditEvent.objects.latest("pk").detail


def test_what_is_left_over_is_forgotten(script: Scripted) -> None:
    sid_login(script, "one")
    ProviderLogin.objects.create(issuer="i", subject="never approved")
    post(logout_token(script, {"sub": "2"}))
    with time_machine.travel(timezone.now() + timedelta(minutes=50), tick=False):
        clear_expired_sessions()
    # The login may be approved yet, and the token be shown again.
    assert ProviderLogin.objects.count() == 2
    assert SpentLogoutToken.objects.exists()
    with time_machine.travel(timezone.now() + timedelta(days=2), tick=False):
        clear_expired_sessions()
    assert [login.subject for login in ProviderLogin.objects.all()] == ["1"]
    assert not SpentLogoutToken.objects.exists()


def test_its_row_goes_with_the_session(script: Scripted) -> None:
    browser = sid_login(script, "one")
    browser.post("/logout/")
    assert not ProviderLogin.objects.exists()
