"""What only Active Directory does: logins as user@domain, and its own words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from django.test import Client as Browser
from django.utils import translation

from authconfig.choices import AuthenticationType
from authconfig.directory.groups import MEMBER_IN_CHAIN
from authconfig.users.models import PbxUser
from tests.authconfig.methods.test_netlogon import (
    NO_ANSWER,
    VAGUE,
    failure,
    failure_words,
)
from tests.conftest import PASSWORD, SettingsSetter, Starter
from tests.support.directory import DOMAIN, STAFF, WINDOWS_PASSWORD
from tests.support.scripted_directory import (
    INVALID_CREDENTIALS,
    Answer,
    Entries,
    ScriptedDirectory,
    refusal,
    scripted_directory,
)

pytestmark = pytest.mark.django_db
ANNA = "CN=Anna,OU=Staff,DC=ad,DC=example,DC=com"
CAPABILITIES = {"supportedCapabilities": ["1.2.840.113556.1.4.800"]}
NORMAL: Mapping[str, list[str]] = {"userAccountControl": ["512"]}


def check_password(name: str, password: str) -> Answer:
    right = (name.lower(), password) == (f"anna@{DOMAIN}", WINDOWS_PASSWORD)
    return (0, "") if right else refusal("52e")


def search(base: str, request: bytes) -> Entries:
    """Know one user, Anna, who is in the group by way of another one."""
    if base == "":
        return [("", CAPABILITIES)]
    if base.lower() == STAFF.lower():
        nested = MEMBER_IN_CHAIN.split(":")[1].encode() in request
        return [(STAFF, {})] if nested and ANNA.lower().encode() in request else []
    return [(ANNA, NORMAL)] if b"sAMAccountName" in request else []


@pytest.fixture
def windows(netlogon: SettingsSetter) -> Iterator[ScriptedDirectory]:
    with scripted_directory(on_bind=check_password, on_search=search) as server:
        netlogon(
            netlogon_security="none",
            netlogon_servers=f"localhost:{server.port}",
            netlogon_base_dn="",
            netlogon_bind_dn="",
            netlogon_bind_password="",
        )
        yield server


@pytest.mark.parametrize("name", ["anna", f"anna@{DOMAIN}", "AD\\Anna"])
def test_without_a_service_account_the_user_binds_as_user_at_domain(
    windows: ScriptedDirectory, start: Starter, browser: Browser, name: str
) -> None:
    assert start(browser, name, WINDOWS_PASSWORD).status_code == 302
    assert windows.binds == [(f"anna@{DOMAIN}", WINDOWS_PASSWORD)]
    assert not windows.searches


def test_a_user_of_another_domain_binds_by_his_whole_name(
    windows: ScriptedDirectory, start: Starter, browser: Browser
) -> None:
    PbxUser.objects.create_user("carl@other.example")

    start(browser, "carl@other.example", WINDOWS_PASSWORD)

    assert [name for name, _password in windows.binds] == ["carl@other.example"]


@pytest.mark.parametrize("name", ["%(user)s", "100%", "a,b", "#1", "o'neil"])
def test_a_name_goes_out_as_it_is(
    windows: ScriptedDirectory, start: Starter, browser: Browser, name: str
) -> None:
    PbxUser.objects.create_user(name)

    start(browser, name, WINDOWS_PASSWORD)

    assert [bound for bound, _password in windows.binds] == [f"{name}@{DOMAIN}"]


def test_nested_groups_are_followed_by_active_directory_itself(
    windows: ScriptedDirectory,
    configure: SettingsSetter,
    start: Starter,
    browser: Browser,
) -> None:
    configure(netlogon_group=STAFF)

    assert start(browser, password=WINDOWS_PASSWORD).status_code == 302
    assert len(windows.binds) == 1


def test_the_base_dn_follows_from_the_domain(
    windows: ScriptedDirectory,
    configure: SettingsSetter,
    start: Starter,
    browser: Browser,
) -> None:
    configure(netlogon_group=STAFF)

    start(browser, password=WINDOWS_PASSWORD)

    assert windows.searches[0][0] == "DC=ad,DC=example,DC=com"


def test_who_is_not_in_the_group_is_refused(
    windows: ScriptedDirectory,
    configure: SettingsSetter,
    start: Starter,
    browser: Browser,
) -> None:
    configure(netlogon_group="CN=Bosses,DC=ad,DC=example,DC=com")

    assert VAGUE in failure_words(start(browser, password=WINDOWS_PASSWORD))
    assert "not a member of the required group" in failure().detail


def test_an_own_filter_counts_without_a_service_account_too(
    windows: ScriptedDirectory,
    configure: SettingsSetter,
    start: Starter,
    browser: Browser,
) -> None:
    configure(netlogon_user_filter="(&(cn=%(user)s)(department=IT))")

    assert VAGUE in failure_words(start(browser, password=WINDOWS_PASSWORD))
    assert "no such account" in failure().detail


@pytest.mark.parametrize(
    ("sub_code", "words"),
    [
        ("525", "no such account in the directory"),
        ("52e", "wrong password"),
        ("530", "the account may not log in at this time"),
        ("531", "the account may not log in from this computer"),
        ("532", "the Windows password has expired"),
        ("533", "the account is disabled"),
        ("701", "the account has expired"),
        ("773", "the Windows password must be changed first"),
        ("775", "the account is locked"),
        ("999", "wrong password"),
    ],
)
def test_the_audit_log_says_what_active_directory_says(
    windows: ScriptedDirectory,
    start: Starter,
    browser: Browser,
    sub_code: str,
    words: str,
) -> None:
    windows.on_bind = lambda _name, _password: refusal(sub_code)

    with translation.override("de"):
        start(browser, password=WINDOWS_PASSWORD)

    assert failure().detail.startswith(f"password: {words} (")
    assert f"data {sub_code}" in failure().detail
    assert WINDOWS_PASSWORD not in failure().detail


@pytest.mark.parametrize("sub_code", ["525", "52e", "530", "531", "533", "701", "775"])
def test_the_visitor_hears_one_vague_sentence(
    windows: ScriptedDirectory, start: Starter, browser: Browser, sub_code: str
) -> None:
    windows.on_bind = lambda _name, _password: refusal(sub_code)

    assert VAGUE in failure_words(start(browser, password=WINDOWS_PASSWORD))


@pytest.mark.parametrize(
    ("sub_code", "sentence"),
    [
        ("532", "Your Windows password has expired."),
        ("773", "You have to change your Windows password first."),
    ],
)
@pytest.mark.parametrize("path", ["/login/", "/mypbx/login/"])
def test_who_has_to_set_a_new_password_hears_so(
    windows: ScriptedDirectory,
    start: Starter,
    browser: Browser,
    sub_code: str,
    sentence: str,
    path: str,
) -> None:
    windows.on_bind = lambda _name, _password: refusal(sub_code)

    response = start(browser, password=WINDOWS_PASSWORD, path=path)

    assert sentence in failure_words(response)
    assert browser.get("/account/").status_code == 302


@pytest.mark.parametrize("sub_code", ["530", "531", "532", "533", "701", "773"])
def test_a_right_password_that_windows_refuses_is_no_failure(
    windows: ScriptedDirectory, start: Starter, browser: Browser, sub_code: str
) -> None:
    windows.on_bind = lambda _name, _password: refusal(sub_code)
    for _ in range(4):
        start(Browser(), password=WINDOWS_PASSWORD)

    windows.on_bind = check_password
    assert start(browser, password=WINDOWS_PASSWORD).status_code == 302


@pytest.mark.parametrize("sub_code", ["52e", "525", "775", "999"])
def test_what_windows_says_without_a_right_password_is_a_failure(
    windows: ScriptedDirectory, start: Starter, sub_code: str
) -> None:
    windows.on_bind = lambda _name, _password: refusal(sub_code)
    for _ in range(4):
        start(Browser(), password="not it")

    assert len(windows.binds) <= 3
    assert failure().detail.endswith("not asked")


@pytest.mark.parametrize("code", [1, 8, 34, 51, 52, 53, 80])
def test_any_other_answer_is_no_login(
    windows: ScriptedDirectory, start: Starter, browser: Browser, code: int
) -> None:
    windows.on_bind = lambda _name, _password: (code, "words of the server")

    start(browser, password=WINDOWS_PASSWORD)

    assert browser.get("/account/").status_code == 302
    assert "words of the server" in failure().detail


def test_the_directorys_words_cannot_forge_a_line(
    windows: ScriptedDirectory, start: Starter, browser: Browser
) -> None:
    windows.on_bind = lambda _name, _password: (INVALID_CREDENTIALS, "a\r\nb\x1b[0m")

    start(browser, password=WINDOWS_PASSWORD)

    assert "a b?[0m" in failure().detail


def test_a_directory_without_direct_logins_asks_for_a_service_account(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    netlogon(netlogon_bind_dn="", netlogon_bind_password="")

    assert NO_ANSWER in failure_words(start(browser, password=WINDOWS_PASSWORD))
    assert "takes no login as user@domain" in failure().detail


@pytest.mark.parametrize(
    ("vendor", "words"),
    [
        ("389 Project", "the directory takes no login as user@domain"),
        ("Somebody else", "wrong password"),
    ],
)
def test_a_directory_that_calls_any_password_of_such_a_name_wrong_is_known(
    windows: ScriptedDirectory,
    start: Starter,
    browser: Browser,
    vendor: str,
    words: str,
) -> None:
    windows.on_bind = lambda _name, _password: (INVALID_CREDENTIALS, "")
    windows.on_search = lambda _base, _request: [("", {"vendorName": [vendor]})]

    start(browser, password=WINDOWS_PASSWORD)

    assert failure().detail == f"password: {words} (49 Invalid credentials)"


def test_active_directory_is_not_asked_who_it_is_after_a_wrong_password(
    windows: ScriptedDirectory, start: Starter, browser: Browser
) -> None:
    start(browser, password="not it")

    assert not windows.searches


def test_with_both_a_user_without_a_windows_account_keeps_his_pbx_password(
    windows: ScriptedDirectory,
    configure: SettingsSetter,
    start: Starter,
    browser: Browser,
) -> None:
    configure(authentication_type=AuthenticationType.PBX_AND_NETLOGON)
    windows.on_bind = lambda _name, _password: refusal("525")

    assert start(browser, password=PASSWORD).status_code == 302
    assert not windows.binds
