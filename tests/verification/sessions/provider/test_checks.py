"""Logins at the provider are proved again every 15 minutes, or end by their age."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import Event
from authconfig.models import current_rules
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.celery import app
from tests.conftest import SettingsSetter, Starter
from tests.support.oauth2_logins import come_back, leads_to, log_in, start
from tests.support.provider import Provider
from tests.support.scripted_provider import Scripted
from verification.sessions.models import ProviderLogin
from verification.sessions.provider import checks
from verification.sessions.provider.checks import check_due

pytestmark = pytest.mark.django_db
QUARTER = timedelta(minutes=16)


def is_in(browser: Browser) -> bool:
    return browser.get("/account/").status_code == 200


def later(by: timedelta = QUARTER) -> Any:
    return time_machine.travel(timezone.now() + by, tick=False)


class TestAtARealProvider:
    @pytest.fixture
    def there(
        self,
        provider: Provider,
        configure: SettingsSetter,
        user: PbxUser,
        browser: Browser,
    ) -> Browser:
        wanted = {
            "authentication_type": "pbx_and_oauth2",
            "oauth2_scope": "openid profile offline_access",
            "oauth2_authorize_query": "&prompt=consent",
        }
        configure(**provider.settings(**wanted))
        come_back(browser, provider.log_in(leads_to(start(browser)), "1"))
        assert is_in(browser)
        return browser

    def test_a_leaver_is_out(self, there: Browser, provider: Provider) -> None:
        first = ProviderLogin.objects.get().refresh_token
        assert first
        with later():
            assert check_due() == 0
        # The token has changed, and the new one is kept.
        second = ProviderLogin.objects.get().refresh_token
        assert second not in ("", first)
        provider.lock_out(second)
        with later(2 * QUARTER):
            assert check_due() == 1
        assert not is_in(there)
        event = AuditEvent.objects.filter(event=Event.SESSION_ENDED).latest("pk")
        assert event.detail.startswith("the provider vouches for this login no more")

    def test_the_token_is_kept_encrypted(self, there: Browser) -> None:
        kept = ProviderLogin.objects.get().refresh_token
        with connection.cursor() as cursor:
            table = ProviderLogin._meta.db_table
            cursor.execute(f"SELECT refresh_token FROM {table}")  # noqa: S608
            assert kept not in cursor.fetchone()[0]


@pytest.fixture
def refreshing(script: Scripted, browser: Browser) -> Scripted:
    script.token_words = {"refresh_token": "first"}
    log_in(browser, script)
    assert is_in(browser)
    script.credentials.clear()
    return script


def refreshes(script: Scripted) -> list[str]:
    forms = [form for _header, form in script.credentials]
    return [f["refresh_token"] for f in forms if f["grant_type"] == "refresh_token"]


def refuse(script: Scripted, error: str, status: int = 400) -> None:
    script.instead["/token"] = (status, json.dumps({"error": error}).encode())


def test_nobody_is_asked_about_before_it_is_time(refreshing: Scripted) -> None:
    with later(timedelta(minutes=14)):
        assert check_due() == 0
    assert refreshes(refreshing) == []


def test_a_token_that_stays_is_used_again(refreshing: Scripted) -> None:
    refreshing.token_words = {}
    for turn in (1, 2):
        with later(turn * QUARTER):
            assert check_due() == 0
            assert check_due() == 0
    assert refreshes(refreshing) == ["first", "first"]


@pytest.mark.parametrize(
    "words", [{"refresh_token": ""}, {"refresh_token": 7}, {"id_token": "sealed"}]
)
def test_words_that_say_nothing_change_nothing(
    refreshing: Scripted, browser: Browser, words: dict[str, Any]
) -> None:
    refreshing.token_words = words
    for turn in (1, 2):
        with later(turn * QUARTER):
            assert check_due() == 0
    assert refreshes(refreshing) == ["first", "first"]
    assert is_in(browser)


def test_a_token_is_shown_to_nobody_but_who_gave_it(refreshing: Scripted) -> None:
    ProviderLogin.objects.update(issuer="https://former.example")
    with later():
        assert check_due() == 0
    assert refreshes(refreshing) == []


def test_where_oauth2_is_off_nobody_is_asked(
    refreshing: Scripted, configure: SettingsSetter
) -> None:
    configure(authentication_type="pbx_only")
    with later():
        assert check_due() == 0
    assert refreshes(refreshing) == []


def test_a_newer_token_takes_its_place(refreshing: Scripted) -> None:
    refreshing.token_words = {"refresh_token": "second"}
    for turn in (1, 2):
        with later(turn * QUARTER):
            check_due()
    assert refreshes(refreshing) == ["first", "second"]


def test_a_provider_that_takes_it_no_more_ends_the_session(
    refreshing: Scripted, browser: Browser
) -> None:
    refuse(refreshing, "invalid_grant")
    with later():
        assert check_due() == 1
    assert not is_in(browser)
    assert not ProviderLogin.objects.exists()


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, "server_error"), (503, "invalid_grant"), (400, "invalid_client")],
)
def test_whatever_else_it_says_ends_none(
    refreshing: Scripted, browser: Browser, status: int, error: str
) -> None:
    refuse(refreshing, error, status)
    with later():
        assert check_due() == 0
    assert is_in(browser)
    # It is asked again before the next quarter, and not at once.
    with later(QUARTER + timedelta(minutes=3)):
        del refreshing.instead["/token"]
        check_due()
    assert refreshes(refreshing)[-1] == "first"


def test_a_provider_in_trouble_is_not_asked_about_everybody(
    refreshing: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(Browser(), refreshing)
    refreshing.credentials.clear()
    monkeypatch.setattr(checks, "AT_ONCE", 1)
    refuse(refreshing, "server_error", 500)
    with later():
        check_due()
    assert len(refreshes(refreshing)) == 1
    # Whom it was asked about waits a little, and the other one is next.
    with later():
        check_due()
        check_due()
    assert len(refreshes(refreshing)) == 2


def test_a_round_takes_only_so_long(
    refreshing: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "ROUND_SECONDS", -1.0)
    with later():
        check_due()
    assert refreshes(refreshing) == []


def test_an_outage_ends_none(refreshing: Scripted, browser: Browser) -> None:
    refreshing.delays["/token"] = 60
    with later(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.conf.settings.OAUTH2_TIMEOUT", 0.2)
        assert check_due() == 0
    refreshing.ended.set()
    assert is_in(browser)


def test_another_persons_token_ends_the_session(
    refreshing: Scripted, browser: Browser
) -> None:
    refreshing.claims = {"sub": "2"}
    with later():
        assert check_due() == 1
    assert not is_in(browser)


def test_the_token_goes_with_the_session(
    refreshing: Scripted, browser: Browser
) -> None:
    browser.post("/logout/")
    with later():
        check_due()
    assert refreshes(refreshing) == []


def test_of_two_workers_one_asks(refreshing: Scripted) -> None:
    with later():
        login = ProviderLogin.objects.get()
        assert [checks._claim(login), checks._claim(login)] == [True, False]


def test_a_round_has_an_end(
    refreshing: Scripted,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: Any,
) -> None:
    for _login in range(3):
        log_in(Browser(), refreshing)
    refreshing.credentials.clear()
    monkeypatch.setattr(checks, "MOST", 2)
    with later(), django_assert_max_num_queries(8):
        check_due()
    assert len(refreshes(refreshing)) == 2


def test_nothing_due_asks_little(
    script: Scripted, django_assert_max_num_queries: Any
) -> None:
    current_rules()
    # Who is too old, and who is due.
    with django_assert_max_num_queries(2):
        check_due()


class TestAge:
    def test_without_a_token_a_login_ends_after_its_hours(
        self, script: Scripted, browser: Browser, start: Starter
    ) -> None:
        by_password = Browser()
        start(by_password)
        log_in(browser, script)
        with later(timedelta(hours=11)):
            assert check_due() == 0
        with later(timedelta(hours=13)):
            assert check_due() == 1
        assert [is_in(browser), is_in(by_password)] == [False, True]

    def test_the_hours_are_a_setting(
        self, script: Scripted, configure: SettingsSetter, browser: Browser
    ) -> None:
        configure(oauth2_session_hours=1)
        log_in(browser, script)
        with later(timedelta(minutes=61)):
            assert check_due() == 1

    def test_whoever_is_vouched_for_stays(
        self, refreshing: Scripted, browser: Browser
    ) -> None:
        for hours in (6, 12, 18, 24):
            with later(timedelta(hours=hours)):
                assert check_due() == 0
        assert is_in(browser)

    def test_nobody_stays_whom_nobody_can_ask_about(
        self, refreshing: Scripted, browser: Browser
    ) -> None:
        refuse(refreshing, "server_error", 500)
        with later(timedelta(hours=13)):
            assert check_due() == 1


def test_the_scheduler_asks_every_minute() -> None:
    entry = app.conf.beat_schedule["recheck-provider-logins"]
    assert entry["schedule"] == 60
