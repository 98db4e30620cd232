"""Accounts that are locked, or were: what the audit log and Test Netlogon say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client as Browser

from authconfig.choices import StepState
from authconfig.directory import netlogon_trial
from authconfig.directory.choices import NetlogonStage
from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from tests.authconfig.methods.test_netlogon import VAGUE, failure, failure_words
from tests.conftest import SettingsSetter, Starter
from tests.support.certificates import make_authority
from tests.support.directory import (
    BRIEF,
    CLOSINGS,
    EAGER,
    LONG_AGO,
    WINDOWS_PASSWORD,
    Directory,
    running_directory,
)

pytestmark = pytest.mark.django_db
LOCKED = "the account is locked (49 Invalid credentials)"
WRONG = "wrong password (49 Invalid credentials)"


@pytest.fixture
def erna(netlogon: SettingsSetter, directory: Directory) -> Iterator[str]:
    """A user whose account the test locks; the value is its DN."""
    PbxUser.objects.create_user("erna")
    dn = directory.add_user("erna")
    yield dn
    directory.forget(dn)


def look(password: str) -> netlogon_trial.NetlogonReport:
    rules = AuthenticationSettings.load()
    return netlogon_trial.try_netlogon(
        rules, "erna", password, lambda _step: None, actor=None
    )


def lock(directory: Directory, dn: str) -> None:
    """Lock as OpenLDAP does after wrong passwords, until an administrator unlocks."""
    directory.change(dn, pwdAccountLockedTime=LONG_AGO)


def had_lock(directory: Directory, dn: str, policy: str = BRIEF) -> None:
    """Leave what OpenLDAP leaves of a lock that has run out."""
    directory.change(dn, pwdAccountLockedTime=LONG_AGO, pwdPolicySubentry=policy)


@pytest.mark.parametrize("password", [WINDOWS_PASSWORD, "not it"])
def test_stage_and_remedy_of_a_locked_account_agree(
    directory: Directory, erna: str, password: str
) -> None:
    lock(directory, erna)

    report = look(password)

    last = report.steps[-1]
    assert (last.stage, last.state) == (NetlogonStage.PASSWORD, StepState.FAILED)
    assert last.words == LOCKED
    assert report.remedy.startswith("Unlock the account in the directory")


def test_after_a_lock_has_run_out_a_wrong_password_is_a_wrong_one(
    directory: Directory, erna: str, start: Starter, browser: Browser
) -> None:
    had_lock(directory, erna)

    assert VAGUE in failure_words(start(browser, "erna", "not it"))
    assert failure().detail == f"password: {WRONG}"


def test_only_who_finds_the_account_locked_is_told_so(
    directory: Directory, erna: str
) -> None:
    had_lock(directory, erna, policy=EAGER)

    words = [look("not it").steps[-1].words for _ in range(3)]

    # The first finds a lock that has run out, the second one locks.
    assert words == [WRONG, WRONG, LOCKED]


def test_after_a_lock_has_run_out_the_right_password_logs_in(
    directory: Directory, erna: str, start: Starter, browser: Browser
) -> None:
    had_lock(directory, erna)

    assert start(browser, "erna", WINDOWS_PASSWORD).status_code == 302


def test_a_lock_that_the_policy_control_alone_tells_is_told(
    netlogon: SettingsSetter, erna: str, start: Starter, browser: Browser
) -> None:
    with running_directory(make_authority(), tells_locks_alone=True) as discreet:
        lock(discreet, discreet.add_user("erna"))
        netlogon(**discreet.settings())
        start(browser, "erna", WINDOWS_PASSWORD)

    assert failure().detail == f"password: {LOCKED}"


def test_an_account_that_has_to_wait_after_a_wrong_password_is_locked(
    directory: Directory, erna: str
) -> None:
    directory.change(erna, pwdAccountTmpLockoutEnd="29990101000000Z")
    assert look(WINDOWS_PASSWORD).steps[-1].words == LOCKED

    directory.change(erna, pwdAccountTmpLockoutEnd=LONG_AGO)
    assert look("not it").steps[-1].words == WRONG
    assert look(WINDOWS_PASSWORD).accepted


@pytest.mark.parametrize(("attributes", "words"), CLOSINGS)
@pytest.mark.parametrize("password", ["", WINDOWS_PASSWORD, "not it"])
def test_a_closed_account_is_a_stage_that_failed(
    directory: Directory,
    erna: str,
    attributes: dict[str, str],
    words: str,
    password: str,
) -> None:
    directory.change(erna, **attributes)

    report = look(password)

    last = report.steps[-1]
    assert not report.accepted
    assert last.state is StepState.FAILED
    assert last.words.startswith(words)
    assert report.remedy.startswith(("Enable the account", "Extend the account"))
