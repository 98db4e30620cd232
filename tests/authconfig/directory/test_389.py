"""A real 389 Directory Server: what it says of passwords, locks, names and filters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client as Browser

from authconfig.choices import AuthenticationType, StepState
from authconfig.directory import netlogon_trial
from authconfig.directory.choices import NetlogonStage
from authconfig.directory.netlogon_trial import NetlogonReport
from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from tests.authconfig.methods.test_netlogon import (
    NO_ANSWER,
    VAGUE,
    failure,
    failure_words,
)
from tests.conftest import SettingsSetter, Starter
from tests.support.directory import LONG_AGO, SERVICE, WINDOWS_PASSWORD
from tests.support.directory_389 import Directory389, running_389
from verification.sessions.rechecks import end_sessions_of_refused_users

pytestmark = [pytest.mark.django_db, pytest.mark.long]
EXPIRED = "Your Windows password has expired."
MUST_CHANGE = "You have to change your Windows password first."
LOCKED_WORDS = "the account is locked (19 Constraint violation: Exceed password retry"
LOCKING = {"passwordLockout": "on", "passwordMaxFailure": "2"}


@pytest.fixture(scope="module")
def server() -> Iterator[Directory389]:
    with running_389() as running:
        yield running


@pytest.fixture
def rules(
    server: Directory389, configure: SettingsSetter
) -> Iterator[AuthenticationSettings]:
    PbxUser.objects.create_user("fritz")
    with server.policy(passwordExp="on", passwordMaxAge="86400"):
        yield configure(
            **server.settings(authentication_type=AuthenticationType.NETLOGON_ONLY)
        )


@pytest.fixture
def fritz(server: Directory389, rules: AuthenticationSettings) -> Iterator[str]:
    """A user whose account the test changes; the value is the DN."""
    dn = server.add_user("fritz")
    yield dn
    with server.as_manager() as manager:
        manager.delete_s(dn)


def look(password: str = WINDOWS_PASSWORD) -> NetlogonReport:
    rules = AuthenticationSettings.load()
    return netlogon_trial.try_netlogon(
        rules, "fritz", password, lambda _step: None, actor=None
    )


def test_the_right_password_logs_in(
    fritz: str, start: Starter, browser: Browser
) -> None:
    assert start(browser, "fritz", WINDOWS_PASSWORD).status_code == 302


def test_an_expired_password_is_told(
    server: Directory389, fritz: str, start: Starter, browser: Browser
) -> None:
    server.change(fritz, passwordExpirationTime=LONG_AGO)

    assert EXPIRED in failure_words(start(browser, "fritz", WINDOWS_PASSWORD))
    words = "the Windows password has expired (49 Invalid credentials: password exp"
    assert failure().detail.startswith(f"password: {words}")
    assert VAGUE in failure_words(start(browser, "fritz", "not it"))


def test_a_grace_login_is_a_login(
    server: Directory389, fritz: str, start: Starter, browser: Browser
) -> None:
    server.change(fritz, passwordExpirationTime=LONG_AGO)

    with server.policy(passwordGraceLimit="1"):
        assert start(browser, "fritz", WINDOWS_PASSWORD).status_code == 302
        assert EXPIRED in failure_words(start(Browser(), "fritz", WINDOWS_PASSWORD))


def test_a_password_that_must_be_changed_is_told(
    server: Directory389, fritz: str, start: Starter, browser: Browser
) -> None:
    with server.policy(passwordMustChange="on"):
        server.change(fritz, userPassword=WINDOWS_PASSWORD)
        response = start(browser, "fritz", WINDOWS_PASSWORD)

    assert MUST_CHANGE in failure_words(response)


@pytest.mark.parametrize("unlock", ["on", "off"])
def test_a_locked_account_is_told_with_its_remedy(
    server: Directory389, fritz: str, unlock: str
) -> None:
    with server.policy(**LOCKING, passwordUnlock=unlock):
        words = [look("not it").steps[-1].words for _ in range(2)]
        report = look()

    assert words == 2 * ["wrong password (49 Invalid credentials)"]
    assert report.steps[-1].words.startswith(LOCKED_WORDS)
    assert report.remedy.startswith("Unlock the account")


def test_an_end_of_a_lock_that_no_policy_heeds_is_none(
    server: Directory389, fritz: str
) -> None:
    with server.policy(**LOCKING, passwordUnlock="off"):
        look("not it")
        look("not it")

    assert look("not it").steps[-1].words == "wrong password (49 Invalid credentials)"
    assert look().accepted


@pytest.mark.parametrize("password", ["", WINDOWS_PASSWORD, "not it"])
def test_an_inactive_account_is_a_stage_that_failed(
    server: Directory389, fritz: str, password: str
) -> None:
    server.change(fritz, nsAccountLock="true")

    report = look(password)

    assert report.steps[-1].state is StepState.FAILED
    assert report.steps[-1].words.startswith("the account is disabled")
    assert report.remedy.startswith("Enable the account")


def test_an_inactive_account_ends_its_session(
    server: Directory389, fritz: str, start: Starter, browser: Browser
) -> None:
    start(browser, "fritz", WINDOWS_PASSWORD)
    assert end_sessions_of_refused_users() == 0

    server.change(fritz, nsAccountLock="true")
    assert end_sessions_of_refused_users() == 1


@pytest.mark.parametrize("password", [WINDOWS_PASSWORD, "not it"])
def test_without_a_service_account_it_asks_for_one(
    fritz: str, configure: SettingsSetter, start: Starter, password: str
) -> None:
    configure(netlogon_bind_dn="", netlogon_bind_password="")

    assert NO_ANSWER in failure_words(start(Browser(), "fritz", password))
    report = look(password)

    words = "the directory takes no login as user@domain (49 Invalid credentials)"
    assert report.steps[-1].stage is NetlogonStage.PASSWORD
    assert report.steps[-1].words == words
    assert report.remedy.startswith("Enter a service account")


def test_a_service_account_whose_password_has_expired_is_told(
    server: Directory389, rules: AuthenticationSettings
) -> None:
    server.change(SERVICE, passwordExpirationTime=LONG_AGO)
    report = look()
    server.change(SERVICE, passwordExpirationTime="20380101000000Z")

    words = "the directory refuses the service account: the Windows password has exp"
    assert report.steps[-1].words.startswith(words)
    assert report.remedy.startswith("Give the service account a password that does")


@pytest.mark.parametrize(
    "filter_",
    ["(|(uid=%(user)s)(&))", "(|(uid=%(user)s)(uid:1.2.3:=x))"],
    ids=["no condition", "unknown matching rule"],
)
def test_a_filter_that_it_cannot_read_is_named(
    fritz: str, configure: SettingsSetter, filter_: str
) -> None:
    configure(netlogon_user_filter=filter_)

    report = look()

    assert report.steps[-1].stage is NetlogonStage.SEARCH
    assert report.steps[-1].words.startswith("the user filter is no LDAP filter")
    assert report.remedy.startswith("Correct the user filter")


def test_members_of_the_required_group_log_in(
    server: Directory389, fritz: str, configure: SettingsSetter
) -> None:
    group = "cn=telephone,dc=ad,dc=example,dc=com"
    server.add(group, objectClass="groupOfNames", cn="telephone", member=SERVICE)
    configure(netlogon_group=group)
    outside = look()
    server.change(group, member=fritz)
    inside = look()
    with server.as_manager() as manager:
        manager.delete_s(group)

    assert outside.steps[-1].words.startswith("not a member of the required group")
    assert inside.accepted
