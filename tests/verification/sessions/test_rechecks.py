"""Sessions of people whose account in the directory is disabled or removed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client as Browser

from authconfig.choices import AuthenticationType, Event, Method
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.celery import app
from tests.conftest import PASSWORD, SettingsSetter, Starter
from tests.support.directory import WINDOWS_PASSWORD, Directory, free_ports
from tests.support.scripted_directory import scripted_directory
from verification.sessions.rechecks import end_sessions_of_closed_accounts
from verification.sessions.tasks import recheck_windows_accounts

pytestmark = pytest.mark.django_db


@pytest.fixture
def carl(netlogon: SettingsSetter, directory: Directory) -> Iterator[str]:
    """A user with a Windows account; the value is its DN."""
    PbxUser.objects.create_user("carl", PASSWORD, email="carl@example.com")
    dn = directory.add_user("carl")
    yield dn
    directory.forget(dn)


@pytest.fixture
def carls_browser(carl: str, start: Starter, browser: Browser) -> Browser:
    assert start(browser, "carl", WINDOWS_PASSWORD).status_code == 302
    return browser


def is_signed_in(browser: Browser) -> bool:
    return browser.get("/account/").status_code == 200


def test_a_user_in_good_standing_keeps_his_session(carls_browser: Browser) -> None:
    assert end_sessions_of_closed_accounts() == 0
    assert is_signed_in(carls_browser)


@pytest.mark.parametrize(
    "attributes",
    [
        {"userAccountControl": "514"},
        {"userAccountControl": "66050"},
        {"accountExpires": "116444736000000000"},
        {"pwdAccountLockedTime": "000001010000Z"},
    ],
)
def test_a_closed_account_ends_the_session(
    directory: Directory, carl: str, carls_browser: Browser, attributes: dict[str, str]
) -> None:
    directory.change(carl, **attributes)

    recheck_windows_accounts()

    assert not is_signed_in(carls_browser)
    event = AuditEvent.objects.get(event=Event.SESSION_ENDED)
    assert (event.user_name, event.method) == ("carl", Method.NETLOGON)
    assert event.detail.startswith("search: the account ")


def test_a_removed_account_ends_the_session(
    directory: Directory, carl: str, carls_browser: Browser
) -> None:
    directory.remove(carl)

    assert end_sessions_of_closed_accounts() == 1
    assert not is_signed_in(carls_browser)
    event = AuditEvent.objects.get(event=Event.SESSION_ENDED)
    assert event.detail == "search: no such account in the directory"


def test_others_keep_their_sessions(
    directory: Directory, carl: str, carls_browser: Browser, start: Starter
) -> None:
    annas_browser = Browser()
    start(annas_browser, "anna", WINDOWS_PASSWORD)
    directory.remove(carl)

    assert end_sessions_of_closed_accounts() == 1
    assert is_signed_in(annas_browser)


def test_a_lock_that_a_stranger_can_cause_ends_no_session(
    directory: Directory, carl: str, carls_browser: Browser
) -> None:
    directory.change(carl, pwdAccountLockedTime="20260101000000Z")

    assert end_sessions_of_closed_accounts() == 0


def test_a_session_by_the_pbx_password_is_none_of_the_directorys(
    netlogon: SettingsSetter,
    directory: Directory,
    carl: str,
    start: Starter,
    browser: Browser,
) -> None:
    netlogon(authentication_type=AuthenticationType.PBX_AND_NETLOGON)
    start(browser, "carl", PASSWORD)
    directory.remove(carl)

    assert end_sessions_of_closed_accounts() == 0
    assert is_signed_in(browser)


def test_an_unreachable_directory_ends_nobodys_session(
    netlogon: SettingsSetter, carl: str, carls_browser: Browser
) -> None:
    netlogon(netlogon_servers=f"localhost:{free_ports(1)[0]}")

    assert end_sessions_of_closed_accounts() == 0
    assert is_signed_in(carls_browser)


@pytest.mark.parametrize(
    "changes",
    [
        {"netlogon_base_dn": "dc=elsewhere"},
        {"netlogon_bind_password": "wrong"},
        {"netlogon_user_filter": "(cn=%(user)s"},
        {"netlogon_bind_dn": "", "netlogon_bind_password": ""},
        {"authentication_type": AuthenticationType.PBX_ONLY},
    ],
)
def test_wrong_settings_end_nobodys_session(
    netlogon: SettingsSetter,
    directory: Directory,
    carl: str,
    carls_browser: Browser,
    changes: dict[str, str],
) -> None:
    directory.remove(carl)
    netlogon(**changes)

    assert end_sessions_of_closed_accounts() == 0


def test_a_directory_that_shows_nothing_ends_nobodys_session(
    netlogon: SettingsSetter, carls_browser: Browser
) -> None:
    with scripted_directory() as blind:
        netlogon(netlogon_security="none", netlogon_servers=f"localhost:{blind.port}")
        assert end_sessions_of_closed_accounts() == 0

    assert len(blind.searches) == 1


@pytest.mark.database
def test_all_sessions_of_a_user_are_ended_with_one_question(
    directory: Directory, carl: str, carls_browser: Browser, start: Starter
) -> None:
    start(Browser(), "carl", WINDOWS_PASSWORD, path="/mypbx/login/")
    directory.change(carl, userAccountControl="514")

    assert end_sessions_of_closed_accounts() == 2
    assert not UserSession.objects.filter(user__name="carl").exists()


def test_beat_asks_every_15_minutes() -> None:
    app.finalize()
    entries = app.conf.beat_schedule.values()

    found = [e for e in entries if e["task"] == recheck_windows_accounts.name]
    assert [entry["schedule"] for entry in found] == [900.0]
