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
from tests.support.directory import (
    BASE,
    CLOSINGS,
    GROUPS,
    WINDOWS_PASSWORD,
    Directory,
    free_ports,
)
from tests.support.scripted_directory import (
    Entries,
    SearchRefusedError,
    scripted_directory,
)
from verification.sessions.rechecks import end_sessions_of_refused_users
from verification.sessions.tasks import recheck_windows_accounts

pytestmark = pytest.mark.django_db
INSUFFICIENT_ACCESS = 50


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
    assert end_sessions_of_refused_users() == 0
    assert is_signed_in(carls_browser)


@pytest.mark.parametrize(("attributes", "words"), CLOSINGS)
def test_a_closed_account_ends_the_session(
    directory: Directory,
    carl: str,
    carls_browser: Browser,
    attributes: dict[str, str],
    words: str,
) -> None:
    directory.change(carl, **attributes)

    recheck_windows_accounts()

    assert not is_signed_in(carls_browser)
    event = AuditEvent.objects.get(event=Event.SESSION_ENDED)
    assert (event.user_name, event.method) == ("carl", Method.NETLOGON)
    assert event.detail == f"search: {words}"


def test_a_removed_account_ends_the_session(
    directory: Directory, carl: str, carls_browser: Browser
) -> None:
    directory.remove(carl)

    assert end_sessions_of_refused_users() == 1
    assert not is_signed_in(carls_browser)
    event = AuditEvent.objects.get(event=Event.SESSION_ENDED)
    assert event.detail == "search: no such account in the directory"


@pytest.fixture
def phones(netlogon: SettingsSetter, directory: Directory, carl: str) -> Iterator[str]:
    """The required group, which Carl is in by way of another; the value is its DN."""
    group, team = f"cn=phones,{GROUPS}", f"cn=team,{GROUPS}"
    directory.add(team, objectClass="groupOfNames", member=[carl])
    directory.add(group, objectClass="groupOfNames", member=[team])
    netlogon(netlogon_group=group)
    yield group
    directory.forget(group)
    directory.forget(team)


def test_a_member_of_the_required_group_keeps_his_session(
    phones: str, carls_browser: Browser
) -> None:
    assert end_sessions_of_refused_users() == 0
    assert is_signed_in(carls_browser)


def test_who_leaves_the_required_group_loses_the_session(
    directory: Directory, phones: str, carls_browser: Browser
) -> None:
    directory.change(f"cn=team,{GROUPS}", member=[BASE])

    assert end_sessions_of_refused_users() == 1
    assert not is_signed_in(carls_browser)
    event = AuditEvent.objects.get(event=Event.SESSION_ENDED)
    assert event.detail == f"group: not a member of the required group ({phones})"


def test_a_group_that_is_required_later_counts_for_sessions_too(
    netlogon: SettingsSetter, directory: Directory, carls_browser: Browser
) -> None:
    netlogon(netlogon_group=f"cn=staff,{GROUPS}")

    assert end_sessions_of_refused_users() == 1


def test_a_required_group_that_is_gone_ends_nobodys_session(
    directory: Directory, phones: str, carls_browser: Browser
) -> None:
    directory.remove(phones)

    assert end_sessions_of_refused_users() == 0
    assert is_signed_in(carls_browser)


def test_others_keep_their_sessions(
    directory: Directory, carl: str, carls_browser: Browser, start: Starter
) -> None:
    annas_browser = Browser()
    start(annas_browser, "anna", WINDOWS_PASSWORD)
    directory.remove(carl)

    assert end_sessions_of_refused_users() == 1
    assert is_signed_in(annas_browser)


def test_a_lock_that_a_stranger_can_cause_ends_no_session(
    directory: Directory, carl: str, carls_browser: Browser
) -> None:
    directory.change(carl, pwdAccountLockedTime="20260101000000Z")

    assert end_sessions_of_refused_users() == 0


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

    assert end_sessions_of_refused_users() == 0
    assert is_signed_in(browser)


def test_an_unreachable_directory_ends_nobodys_session(
    netlogon: SettingsSetter, carl: str, carls_browser: Browser
) -> None:
    netlogon(netlogon_servers=f"localhost:{free_ports(1)[0]}")

    assert end_sessions_of_refused_users() == 0
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

    assert end_sessions_of_refused_users() == 0


def test_a_directory_that_shows_nothing_ends_nobodys_session(
    netlogon: SettingsSetter, carls_browser: Browser
) -> None:
    with scripted_directory() as blind:
        netlogon(netlogon_security="none", netlogon_servers=f"localhost:{blind.port}")
        assert end_sessions_of_refused_users() == 0

    assert len(blind.searches) == 1


@pytest.mark.database
def test_an_account_that_cannot_be_read_keeps_no_other_from_being_checked(
    netlogon: SettingsSetter,
    carls_browser: Browser,
    start: Starter,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def search(base: str, request: bytes) -> Entries:
        if b"sAMAccountName" not in request:
            return [(base, {})]
        if b"anna" in request:
            raise SearchRefusedError(INSUFFICIENT_ACCESS)
        return []

    annas_browser = Browser()
    start(annas_browser, "anna", WINDOWS_PASSWORD)
    with scripted_directory(on_search=search) as partly:
        netlogon(netlogon_security="none", netlogon_servers=f"localhost:{partly.port}")
        assert end_sessions_of_refused_users() == 1

    assert is_signed_in(annas_browser)
    assert not is_signed_in(carls_browser)
    assert "accounts not re-checked: 1, first: search: the search is not" in caplog.text


def test_all_sessions_of_a_user_are_ended_with_one_question(
    directory: Directory, carl: str, carls_browser: Browser, start: Starter
) -> None:
    start(Browser(), "carl", WINDOWS_PASSWORD, path="/mypbx/login/")
    directory.change(carl, userAccountControl="514")

    assert end_sessions_of_refused_users() == 2
    assert not UserSession.objects.filter(user__name="carl").exists()


def test_beat_asks_every_15_minutes() -> None:
    app.finalize()
    entries = app.conf.beat_schedule.values()

    found = [e for e in entries if e["task"] == recheck_windows_accounts.name]
    assert [entry["schedule"] for entry in found] == [900.0]
