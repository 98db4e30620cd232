"""Directories that take a password and then want another: OpenLDAP, 389, FreeIPA."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client as Browser

from authconfig.users.models import PbxUser
from tests.authconfig.methods.test_netlogon import (
    NO_ANSWER,
    VAGUE,
    failure,
    failure_words,
)
from tests.conftest import SettingsSetter, Starter
from tests.support.directory import (
    GRACIOUS,
    LONG_AGO,
    SERVICE,
    STRICT,
    WINDOWS_PASSWORD,
    Directory,
)
from tests.support.scripted_directory import Answer, scripted_directory
from verification.sessions.choices import Guessed, Source
from verification.sessions.models import FailureCount

pytestmark = pytest.mark.django_db
MUST_CHANGE = "You have to change your Windows password first."
EXPIRED = "Your Windows password has expired."
POLICY, MARK = "1.3.6.1.4.1.42.2.27.8.5.1", "2.16.840.1.113730.3.4.4"
# As 389 Directory Server 2.3 sends them: a policy error, what is left of the grace
# logins, how long the password is still good.
ERRORS = {number: b"0\x84\0\0\0\x03\x81\x01" + bytes([number]) for number in range(3)}
GRACE = b"0\x84\0\0\0\t\xa0\x84\0\0\0\x03\x81\x01\x04"
TIME_LEFT = b"0\x84\0\0\0\x0b\xa0\x84\0\0\0\x05\x80\x03\x01Q\x80"


@pytest.fixture
def dora(netlogon: SettingsSetter, directory: Directory) -> Iterator[str]:
    """A user whom a policy tells what to do; the value is her DN."""
    PbxUser.objects.create_user("dora", email="dora@example.com")
    dn = directory.add_user("dora")
    yield dn
    directory.forget(dn)


@pytest.fixture
def reset(directory: Directory, dora: str) -> str:
    directory.change(dora, pwdPolicySubentry=STRICT, pwdReset="TRUE")
    return dora


@pytest.fixture
def old(directory: Directory, dora: str) -> str:
    directory.change(dora, pwdPolicySubentry=STRICT, pwdChangedTime=LONG_AGO)
    return dora


@pytest.mark.parametrize("path", ["/login/", "/mypbx/login/"])
def test_who_has_to_change_the_password_first_is_told_and_not_let_in(
    reset: str, start: Starter, browser: Browser, path: str
) -> None:
    response = start(browser, "dora", WINDOWS_PASSWORD, path=path)

    assert MUST_CHANGE in failure_words(response)
    assert browser.get("/account/").status_code == 302
    words = "password: the Windows password must be changed first (0 Success, but"
    assert failure().detail.startswith(words)


def test_who_has_an_expired_password_is_told(
    old: str, start: Starter, browser: Browser
) -> None:
    assert EXPIRED in failure_words(start(browser, "dora", WINDOWS_PASSWORD))
    assert browser.get("/account/").status_code == 302


def test_a_grace_login_is_a_login(
    directory: Directory, old: str, start: Starter, browser: Browser
) -> None:
    directory.change(old, pwdPolicySubentry=GRACIOUS)

    assert start(browser, "dora", WINDOWS_PASSWORD).status_code == 302


@pytest.mark.parametrize("state", ["reset", "old"])
def test_a_wrong_password_hears_nothing_of_the_policy(
    request: pytest.FixtureRequest, start: Starter, browser: Browser, state: str
) -> None:
    request.getfixturevalue(state)

    assert VAGUE in failure_words(start(browser, "dora", "not it"))
    assert failure().detail.startswith("password: wrong password")


@pytest.mark.parametrize("state", ["reset", "old"])
def test_a_password_that_has_to_be_changed_is_no_failure(
    directory: Directory,
    request: pytest.FixtureRequest,
    start: Starter,
    browser: Browser,
    state: str,
) -> None:
    dn = request.getfixturevalue(state)
    for _ in range(4):
        start(Browser(), "dora", WINDOWS_PASSWORD)

    assert not FailureCount.objects.exists()
    directory.change(dn, pwdPolicySubentry=None, pwdReset=None)
    assert start(browser, "dora", WINDOWS_PASSWORD).status_code == 302


def test_past_the_limit_nobody_hears_that_a_password_was_right(
    reset: str, start: Starter, browser: Browser
) -> None:
    user = PbxUser.objects.get(name="dora")
    spent = {"guessed": Guessed.PASSWORD, "source": Source.ELSEWHERE, "in_row": 100}
    FailureCount.objects.create(user=user, **spent)

    answers = [start(browser, "dora", word) for word in (WINDOWS_PASSWORD, "wrong")]

    assert [answer.status_code for answer in answers] == [429, 429]
    assert ["Ask the administrator" in a.content.decode() for a in answers] == 2 * [
        True
    ]


def test_a_service_account_that_must_change_its_password_is_named(
    netlogon: SettingsSetter, reset: str, start: Starter, browser: Browser
) -> None:
    netlogon(netlogon_bind_dn=reset, netlogon_bind_password=WINDOWS_PASSWORD)

    assert NO_ANSWER in failure_words(start(browser, password=WINDOWS_PASSWORD))
    words = "the Windows password must be changed first (0 Success, but"
    refused = f"service: the directory refuses the service account: {words}"
    assert failure().detail.startswith(refused)


def answering(answer: Answer, netlogon: SettingsSetter, start: Starter) -> str:
    """Log in where the directory answers so to the user; return what the page says."""
    anna = [("cn=anna,dc=ad,dc=example,dc=com", {"cn": ["anna"]})]
    with scripted_directory(
        on_bind=lambda name, _password: (0, "") if name == SERVICE else answer,
        on_search=lambda _base, _raw: anna,
    ) as server:
        netlogon(netlogon_security="none", netlogon_servers=f"localhost:{server.port}")
        response = start(Browser(), password=WINDOWS_PASSWORD)
    return "" if response.status_code == 302 else failure_words(response)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((0, "", {POLICY: ERRORS[2], MARK: b"0"}), MUST_CHANGE),
        ((0, "", {MARK: b"0"}), MUST_CHANGE),
        ((0, "", {POLICY: TIME_LEFT, MARK: b"0"}), MUST_CHANGE),
        ((0, "", {POLICY: ERRORS[0]}), EXPIRED),
        ((0, "", {POLICY: ERRORS[1]}), VAGUE),
        ((49, "password expired!", {POLICY: ERRORS[0], MARK: b"0"}), EXPIRED),
        ((49, "password expired!", {MARK: b"0"}), EXPIRED),
        ((49, "", {POLICY: ERRORS[1]}), VAGUE),
        ((19, "Exceed password retry limit.", {POLICY: ERRORS[1]}), VAGUE),
        ((53, "Account inactivated.", {POLICY: ERRORS[1]}), VAGUE),
    ],
)
def test_the_policy_error_decides(
    netlogon: SettingsSetter, start: Starter, answer: Answer, sentence: str
) -> None:
    assert sentence in answering(answer, netlogon, start)


@pytest.mark.parametrize(
    "controls",
    [
        {},
        {POLICY: b"\x30\x00"},
        {POLICY: TIME_LEFT},
        {POLICY: GRACE},
        {POLICY: GRACE, MARK: b"0"},
        {"2.16.840.1.113730.3.4.5": b"3600"},
    ],
)
def test_warnings_and_grace_logins_are_no_fault(
    netlogon: SettingsSetter, start: Starter, controls: dict[str, bytes]
) -> None:
    assert answering((0, "", controls), netlogon, start) == ""


@pytest.mark.parametrize("code", [49, 19, 53])
def test_a_lock_that_the_policy_names_is_in_the_audit_log(
    netlogon: SettingsSetter, start: Starter, code: int
) -> None:
    answering((code, "", {POLICY: ERRORS[1]}), netlogon, start)

    assert failure().detail.startswith("password: the account is locked")
