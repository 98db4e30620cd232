"""How long a session lives, and what its use costs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.usersessions.models import UserSession
from django.conf import settings as site
from django.contrib.sessions.models import Session
from django.test import Client as Browser
from django.utils import timezone
from pytest_django import Settings

from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from tests.conftest import Starter
from tests.support.attacks import accept_by_link
from verification.approval.models import LoginSession
from verification.sessions.lifecycle import Noted, noted
from verification.sessions.tasks import clear_expired_sessions

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def is_signed_in(browser: Browser) -> bool:
    return browser.get("/account/").status_code == 200


def row() -> UserSession:
    found: UserSession = UserSession.objects.get()
    return found


def test_a_session_that_is_not_used_ends_after_thirty_days(signed_in: Browser) -> None:
    now = timezone.now()

    with time_machine.travel(now + 29 * DAY):
        assert is_signed_in(signed_in)
    with time_machine.travel(now + 29 * DAY + 30 * DAY + timedelta(seconds=5)):
        assert not is_signed_in(signed_in)


def test_a_session_in_use_ends_after_ninety_days(signed_in: Browser) -> None:
    now = timezone.now()

    for day in range(0, 90, 10):
        with time_machine.travel(now + day * DAY):
            assert is_signed_in(signed_in)
    with time_machine.travel(now + 90 * DAY - timedelta(minutes=1)):
        assert is_signed_in(signed_in)
    with time_machine.travel(now + 90 * DAY + timedelta(seconds=5)):
        assert not is_signed_in(signed_in)


def test_a_later_write_moves_the_end_of_no_session(signed_in: Browser) -> None:
    ends_at = Session.objects.get().expire_date
    later = timezone.now() + timedelta(hours=5)

    with time_machine.travel(later):
        session = signed_in.session
        session["something"] = "else"
        session.save()

    assert abs(Session.objects.get().expire_date - ends_at) < timedelta(seconds=1)


def test_the_cookie_lives_as_long_as_the_session(signed_in: Browser) -> None:
    with time_machine.travel(timezone.now() + 20 * DAY):
        signed_in.get("/account/")
        cookie = signed_in.cookies[site.SESSION_COOKIE_NAME]
        assert 30 * 86400 - 5 < int(cookie["max-age"]) <= 30 * 86400


def test_a_session_of_a_visitor_ends_soon(
    two_factor: AuthenticationSettings, start: Starter, browser: Browser
) -> None:
    """Strangers make as many of them as they like."""
    start(browser)

    assert Session.objects.get().expire_date - timezone.now() <= timedelta(hours=1)
    cookie = browser.cookies[site.SESSION_COOKIE_NAME]
    assert int(cookie["max-age"]) <= 3600
    accept_by_link(LoginSession.objects.get())
    browser.post("/login/waiting/continue/")
    assert Session.objects.get().expire_date - timezone.now() > 29 * DAY
    assert int(browser.cookies[site.SESSION_COOKIE_NAME]["max-age"]) > 29 * 86400


@pytest.mark.parametrize(
    "key", ['"\\000\\000\\000abcdefgh"', "x" * 5000, "A" * 32, "\xff" * 32]
)
def test_what_is_no_key_of_a_session_is_no_session(browser: Browser, key: str) -> None:
    """PostgreSQL takes no NUL, and a page would fail."""
    browser.defaults["HTTP_COOKIE"] = f"{site.SESSION_COOKIE_NAME}={key}"

    assert browser.get("/account/").url == "/login/?next=/account/"
    assert browser.get("/login/").status_code == 200


def test_limits_are_settings(
    settings: Settings, start: Starter, browser: Browser
) -> None:
    settings.SESSION_IDLE_TTL = timedelta(hours=1)
    settings.SESSION_MAX_TTL = timedelta(hours=2)
    start(browser)
    now = timezone.now()

    for minutes in (50, 100, 119):
        with time_machine.travel(now + timedelta(minutes=minutes)):
            assert is_signed_in(browser)
    with time_machine.travel(now + timedelta(minutes=121)):
        assert not is_signed_in(browser)


def test_a_myapps_and_a_mypbx_session_last_alike(
    start: Starter, browser: Browser
) -> None:
    start(browser, path="/mypbx/login/")

    left = Session.objects.get().expire_date - timezone.now()
    assert timedelta(days=29.9) < left <= 30 * DAY


@pytest.mark.database
def test_the_last_use_is_noted_once_a_minute(signed_in: Browser) -> None:
    began_at = row().last_seen_at

    with time_machine.travel(began_at + timedelta(seconds=50)):
        signed_in.get("/account/")
        assert row().last_seen_at == began_at
    with time_machine.travel(began_at + timedelta(seconds=70), tick=False):
        signed_in.get("/account/")
        noted.forget()
        signed_in.get("/account/")
        assert row().last_seen_at == began_at + timedelta(seconds=70)


@pytest.mark.database
def test_an_ordinary_request_costs_no_write_and_no_query_more(
    signed_in: Browser, django_assert_num_queries: Any
) -> None:
    signed_in.get("/account/approvals/")

    # The session, its user and his logins that wait.
    with django_assert_num_queries(3) as queries:
        signed_in.get("/account/approvals/")
    assert not [q for q in queries if q["sql"].startswith(("UPDATE", "INSERT"))]


@pytest.mark.database
def test_a_session_is_followed_when_keys_rotate(
    signed_in: Browser, settings: Settings
) -> None:
    key = row().session_key
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key that is long and varied enough 0123456789"

    assert is_signed_in(signed_in)

    assert row().session_key == signed_in.session.session_key != key
    assert "This browser" in signed_in.get("/account/").content.decode()


def test_a_login_elsewhere_ends_no_session_of_before_keys_rotated(
    signed_in: Browser, start: Starter, settings: Settings
) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key that is long and varied enough 0123456789"

    start(Browser())

    assert is_signed_in(signed_in)
    assert UserSession.objects.count() == 2


@pytest.mark.database
def test_a_login_forgets_sessions_that_have_ended(
    signed_in: Browser, start: Starter
) -> None:
    Session.objects.all().delete()

    start(Browser())

    assert UserSession.objects.count() == 1


def test_logging_in_to_the_other_client_takes_over_no_row(
    start: Starter, browser: Browser, user: PbxUser
) -> None:
    start(browser, path="/mypbx/login/")
    start(browser)

    current = UserSession.objects.get(session_key=browser.session.session_key)
    assert current.data["kind"] == "myapps"


def test_logging_out_ends_the_session_and_is_recorded(signed_in: Browser) -> None:
    copy = Browser()
    copy.cookies = signed_in.cookies.copy()

    signed_in.post("/logout/")

    assert not is_signed_in(copy)
    assert not UserSession.objects.exists()
    assert list(PbxUser.objects.get().audit_events.values_list("event", flat=True)) == [
        "logout",
        "login",
    ]


@pytest.mark.database
def test_what_expired_sessions_leave_behind_is_deleted(
    signed_in: Browser, start: Starter
) -> None:
    old = Browser()
    start(old)
    key = old.session.session_key
    past = timezone.now() - DAY
    Session.objects.filter(session_key=key).update(expire_date=past)

    clear_expired_sessions.run()

    assert [s.session_key for s in Session.objects.all()] == [row().session_key]
    assert is_signed_in(signed_in)


def test_what_was_noted_is_bounded() -> None:
    kept = Noted()
    kept.MOST = 3

    assert [kept.is_due(key) for key in "aabbcc"] == [True, False] * 3
    assert kept.is_due("d")
    assert kept.is_due("a")
