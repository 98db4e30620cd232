"""A real domain controller, Samba: its codes, and what they are of.

What Samba does as Active Directory does is tested with a scripted one, too, which
answers in its words.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from uuid import UUID

import ldap
import pytest
from django.test import Client as Browser

from authconfig.choices import AuthenticationType, StepState
from authconfig.directory import netlogon_trial
from authconfig.directory.netlogon_trial import NetlogonReport
from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from tests.authconfig.methods.test_netlogon import VAGUE, failure, failure_words
from tests.conftest import SettingsSetter, Starter
from tests.support.certificates import make_authority
from tests.support.directory import WINDOWS_PASSWORD
from tests.support.samba import (
    CONTROLLER,
    USERS,
    Samba,
    running_samba,
)
from verification.sessions.rechecks import end_sessions_of_refused_users

pytestmark = [pytest.mark.django_db, pytest.mark.long]
DAY = -864_000_000_000
EXPIRING = {"maxPwdAge": str(42 * DAY)}
LOCKING = {"lockoutThreshold": "2", "lockoutDuration": str(DAY)}
NO_HOUR = b"\0" * 21
ENDED = "116444736000000000"


@pytest.fixture(scope="module")
def samba() -> Iterator[Samba]:
    with running_samba(make_authority("Example AD CA")) as running:
        yield running


@pytest.fixture(params=["direct", "with a service account"])
def frida(
    request: pytest.FixtureRequest, samba: Samba, configure: SettingsSetter
) -> Iterator[str]:
    """A user whose account the test changes; the value is the DN."""
    is_direct = request.param == "direct"
    settings = samba.settings() if is_direct else samba.with_service()
    configure(authentication_type=AuthenticationType.NETLOGON_ONLY, **settings)
    PbxUser.objects.create_user("frida")
    dn = samba.add_user("frida")
    yield dn
    samba.remove(dn)


def look(password: str = WINDOWS_PASSWORD) -> NetlogonReport:
    rules = AuthenticationSettings.load()
    return netlogon_trial.try_netlogon(
        rules, "frida", password, lambda _step: None, actor=None
    )


def words(password: str = WINDOWS_PASSWORD) -> str:
    last = look(password).steps[-1]
    assert last.state is StepState.FAILED
    return last.words


def test_the_right_password_logs_in_and_a_wrong_one_does_not(
    frida: str, start: Starter, browser: Browser
) -> None:
    assert VAGUE in failure_words(start(browser, "frida", "not it"))
    assert failure().detail.startswith("password: wrong password (49 ")
    assert start(browser, "AD\\frida", WINDOWS_PASSWORD).status_code == 302


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_each_encryption_logs_in(
    frida: str, configure: SettingsSetter, security: str
) -> None:
    configure(netlogon_security=security)

    assert look().accepted


def test_without_encryption_it_says_what_the_controller_wants(
    frida: str, configure: SettingsSetter
) -> None:
    configure(netlogon_security="none")

    report = look()

    assert "the directory demands encryption (8 " in report.steps[-1].words
    assert report.remedy == "Choose TLS or STARTTLS."


@pytest.mark.parametrize(
    ("attributes", "said", "code"),
    [
        ({"logonHours": NO_HOUR}, "the account may not log in at this time", "530"),
        ({"userWorkstations": "PBX"}, "the account may not log in from", "531"),
        ({"userAccountControl": "514"}, "the account is disabled", "533"),
        ({"accountExpires": ENDED}, "the account has expired", "701"),
        ({"pwdLastSet": "0"}, "the Windows password must be changed first", "773"),
    ],
    ids=["hours", "workstations", "disabled", "ended", "must change"],
)
def test_each_code_is_of_what_the_account_is_forbidden(
    samba: Samba, frida: str, attributes: dict[str, str], said: str, code: str
) -> None:
    samba.change(frida, **attributes)

    assert words().startswith(said)
    assert f"data {code}, v1db1" in words()
    assert "data 52e" in words("not it")


def test_the_controllers_name_is_the_computer_that_counts(
    samba: Samba, frida: str
) -> None:
    samba.change(frida, userWorkstations=f"PBX,{socket.gethostname()}")
    report = look()
    assert "data 531" in report.steps[-1].words
    assert report.remedy.startswith("Add the NetBIOS names of the domain controllers")

    samba.change(frida, userWorkstations=f"PBX,{CONTROLLER}")
    assert look().accepted


def test_an_expired_password_is_told(samba: Samba, frida: str) -> None:
    with samba.domain(**EXPIRING):
        samba.age_password(frida)

        assert words().startswith("the Windows password has expired (49 ")


def test_a_locked_account_is_told(samba: Samba, frida: str) -> None:
    with samba.domain(**LOCKING):
        wrong = [words("not it") for _ in range(2)]
        report = look()

    assert all(each.startswith("wrong password (49 ") for each in wrong)
    assert report.steps[-1].words.startswith("the account is locked (49 ")
    assert report.remedy.startswith("Unlock the account")


def test_after_a_reset_the_old_password_still_logs_in(samba: Samba, frida: str) -> None:
    """The administration's page about it says so; 60 minutes is Samba's default."""
    samba.reset_password(frida, "another Pass phrase 2")

    assert look("another Pass phrase 2").accepted
    assert look(WINDOWS_PASSWORD).accepted
    samba.reset_password(frida, "a third Pass phrase 3")
    assert words(WINDOWS_PASSWORD).startswith("wrong password")


def test_a_disabled_account_ends_its_session_and_a_reset_password_does_not(
    samba: Samba, frida: str, configure: SettingsSetter, start: Starter
) -> None:
    configure(**samba.with_service())
    start(Browser(), "frida", WINDOWS_PASSWORD)
    samba.reset_password(frida, "another Pass phrase 2")
    assert end_sessions_of_refused_users() == 0

    samba.change(frida, userAccountControl="514")
    assert end_sessions_of_refused_users() == 1


def test_members_of_nested_groups_log_in(
    samba: Samba, frida: str, configure: SettingsSetter
) -> None:
    team, phones = f"CN=team,{USERS}", f"CN=phones,{USERS}"
    with samba.as_administrator() as administrator:
        for dn in (team, phones):
            administrator.add_s(dn, [("objectClass", [b"group"])])
        guid = administrator.search_s(phones, ldap.SCOPE_BASE)[0][1]["objectGUID"][0]
    configure(netlogon_group=phones)
    outside = words()
    samba.change(phones, member=team)
    samba.change(team, member=frida)
    inside = look()
    configure(netlogon_group=f"<GUID={UUID(bytes_le=guid)}>")
    inside_by_number = look()
    configure(netlogon_group="Telephone")
    of_no_dn = words()
    samba.remove(team)
    samba.remove(phones)

    assert outside.startswith("not a member of the required group")
    assert inside.accepted
    assert inside_by_number.accepted
    assert of_no_dn.startswith("the required group is no DN (34 ")


@pytest.mark.parametrize(
    ("attributes", "said", "remedy"),
    [
        ({"userWorkstations": "PBX"}, "the account may not log", "Add the NetBIOS"),
        ({"userAccountControl": "514"}, "the account is disabled", "Enable the ser"),
        ({"pwdLastSet": "0"}, "the Windows password must be", "Let the service acc"),
    ],
    ids=["workstations", "disabled", "must change"],
)
def test_why_a_service_account_is_refused_is_told(
    samba: Samba,
    configure: SettingsSetter,
    attributes: dict[str, str],
    said: str,
    remedy: str,
) -> None:
    dn = samba.add_user("helper")
    configure(**samba.settings(netlogon_bind_dn=dn))
    configure(netlogon_bind_password=WINDOWS_PASSWORD)
    assert look("").steps[-1].words.startswith("no such account")
    samba.change(dn, **attributes)
    report = look("")
    samba.remove(dn)

    refused = f"the directory refuses the service account: {said}"
    assert report.steps[-1].words.startswith(refused)
    assert report.remedy.startswith(remedy)
