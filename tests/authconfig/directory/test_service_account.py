"""A service account that the directory refuses: what is said, and when it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.utils import timezone

from authconfig.directory import netlogon_trial
from authconfig.models import AuthenticationSettings
from tests.authconfig.methods.test_netlogon import (
    NO_ANSWER,
    failure,
    failure_words,
)
from tests.conftest import SettingsSetter, Starter
from tests.pbxsite.management.test_authconfig import Ran
from tests.support.directory import WINDOWS_PASSWORD, Directory
from tests.support.scripted_directory import (
    ScriptedDirectory,
    refusal,
    scripted_directory,
)

pytestmark = pytest.mark.django_db
SERVICE_WORDS = "the directory refuses the service account"
RESTING = "service: the directory has just refused the service account"
MENDED = "what the site has"


@pytest.fixture
def helper(
    directory: Directory, netlogon: SettingsSetter, start: Starter
) -> Iterator[str]:
    """A service account that has been refused once; the value is its DN."""
    dn = directory.add_user("helper")
    # Its password is not the site's, and it may read nothing: that comes later.
    netlogon(netlogon_bind_dn=dn, netlogon_bind_password=MENDED)
    assert NO_ANSWER in failure_words(start(Browser(), password=WINDOWS_PASSWORD))
    assert failure().detail == f"service: {SERVICE_WORDS} (49 Invalid credentials)"
    yield dn
    directory.forget(dn)


def asked(start: Starter) -> str:
    """Log in and return why it failed."""
    start(Browser(), password=WINDOWS_PASSWORD)
    return failure().detail


def in_seconds(seconds: float) -> datetime:
    return timezone.now() + timedelta(seconds=seconds)


def mend(directory: Directory, dn: str) -> None:
    """Give the account the site's password; what it may search is another matter."""
    directory.change(dn, userPassword=MENDED)


def test_within_the_minute_the_refusal_is_told_again(
    directory: Directory, helper: str, start: Starter
) -> None:
    mend(directory, helper)

    words = "and is not asked again yet (49 Invalid credentials)"
    assert asked(start) == f"{RESTING}, {words}"


def test_the_next_minute_asks_again(
    directory: Directory, helper: str, start: Starter
) -> None:
    mend(directory, helper)

    with time_machine.travel(in_seconds(61)):
        assert asked(start).startswith("search: ")


def test_a_save_asks_again_though_nothing_is_changed(
    directory: Directory,
    helper: str,
    start: Starter,
    django_capture_on_commit_callbacks: Any,
) -> None:
    mend(directory, helper)

    with django_capture_on_commit_callbacks(execute=True):
        ran = Ran("set", f"netlogon_bind_password={MENDED}")

    assert ran.out == "Nothing was changed.\n"
    assert asked(start).startswith("search: ")


def look(rules: AuthenticationSettings) -> netlogon_trial.NetlogonReport:
    return netlogon_trial.try_netlogon(rules, "", "", lambda _step: None, actor=None)


def test_a_test_asks_again_and_logins_go_on(
    directory: Directory, helper: str, start: Starter
) -> None:
    rules = AuthenticationSettings.load()
    assert look(rules).remedy.startswith("Enter the service account and its password")
    mend(directory, helper)

    assert look(rules).accepted
    assert asked(start).startswith("search: ")


@pytest.fixture
def windows(netlogon: SettingsSetter) -> Iterator[ScriptedDirectory]:
    with scripted_directory(on_bind=lambda _n, _p: refusal("52e")) as server:
        netlogon(netlogon_security="none", netlogon_servers=f"localhost:{server.port}")
        yield server


def minutes_of_logins(start: Starter, count: int) -> None:
    for minute in range(count):
        with time_machine.travel(in_seconds(61 * minute)):
            start(Browser(), password=WINDOWS_PASSWORD)


def test_wrong_passwords_in_ten_minutes_are_no_more_than_a_users(
    windows: ScriptedDirectory, configure: SettingsSetter, start: Starter
) -> None:
    configure(netlogon_max_failures=2)

    minutes_of_logins(start, 9)

    assert len(windows.binds) == 2
    with time_machine.travel(in_seconds(61 + 601)):
        start(Browser(), password=WINDOWS_PASSWORD)
    assert len(windows.binds) == 3


def test_what_no_password_can_mend_is_asked_every_minute(
    windows: ScriptedDirectory, start: Starter
) -> None:
    windows.on_bind = lambda _name, _password: refusal("533")

    minutes_of_logins(start, 5)

    assert len(windows.binds) == 5


@pytest.mark.parametrize(
    ("sub_code", "words", "remedy"),
    [
        ("525", "no such account", "Check the name of the service account"),
        ("52e", "wrong password", "Enter the service account and its password again"),
        ("530", "the account may not log in at this time", "Let the service account"),
        ("531", "the account may not log in from", "Add the NetBIOS names of the dom"),
        ("532", "the Windows password has expired", "Give the service account a"),
        ("533", "the account is disabled", "Enable the service account"),
        ("701", "the account has expired", "Extend the service account"),
        ("773", "the Windows password must be", "Let the service account keep its"),
        ("775", "the account is locked", "Unlock the service account"),
    ],
)
def test_why_it_is_refused_is_told(
    windows: ScriptedDirectory, start: Starter, sub_code: str, words: str, remedy: str
) -> None:
    windows.on_bind = lambda _name, _password: refusal(sub_code)

    assert asked(start).startswith(f"service: {SERVICE_WORDS}: {words}")
    assert words in asked(start)
    report = look(AuthenticationSettings.load())
    assert words in report.steps[-1].words
    assert report.remedy.startswith(remedy)
