"""Windows passwords at a real directory, through the login page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client as Browser

from authconfig.choices import AuthenticationType, Event, Method
from authconfig.clients.choices import Kind
from authconfig.methods import netlogon as method
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import PASSWORD, SettingsSetter, Starter
from tests.support.directory import (
    CLOSINGS,
    EVERYBODY,
    GROUPS,
    NOBODY,
    STAFF,
    USERS,
    WINDOWS_PASSWORD,
    Directory,
)

pytestmark = pytest.mark.django_db
VAGUE = "The user name or the password is not right."
NO_ANSWER = "Windows passwords cannot be checked at present."
PAGES = {Kind.MYAPPS: "/login/", Kind.MYPBX: "/mypbx/login/"}


@pytest.fixture
def bert(db: None) -> PbxUser:
    return PbxUser.objects.create_user("bert", email="bert@example.com")


def failure() -> AuditEvent:
    return AuditEvent.objects.filter(event=Event.LOGIN_FAILED).latest("pk")


def failure_words(response: HttpResponse) -> str:
    assert response.status_code == 200
    found = re.search(
        r'role="alert">.*?<li>(.*?)</li>', response.content.decode(), re.S
    )
    assert found
    return found[1]


@pytest.mark.parametrize("kind", Kind)
def test_the_windows_password_logs_in(
    netlogon: SettingsSetter, start: Starter, browser: Browser, kind: Kind
) -> None:
    response = start(browser, password=WINDOWS_PASSWORD, path=PAGES[kind])

    assert response.url == "/account/"
    event = AuditEvent.objects.get(event=Event.LOGIN)
    assert (event.method, event.kind) == (Method.NETLOGON, kind)


@pytest.mark.parametrize("security", ["tls", "starttls", "none"])
def test_each_security_logs_in(
    netlogon: SettingsSetter,
    directory: Directory,
    start: Starter,
    browser: Browser,
    security: str,
) -> None:
    port = directory.tls_port if security == "tls" else directory.port
    netlogon(netlogon_security=security, netlogon_servers=f"localhost:{port}")

    assert start(browser, password=WINDOWS_PASSWORD).status_code == 302


@pytest.mark.parametrize(
    "name", ["anna", "ANNA", "anna@ad.example.com", "AD\\anna", "ad\\Anna"]
)
def test_every_spelling_is_one_pbx_user(
    netlogon: SettingsSetter, start: Starter, browser: Browser, name: str
) -> None:
    assert start(browser, name, WINDOWS_PASSWORD).status_code == 302


@pytest.mark.parametrize("name", ["other\\anna", "anna@elsewhere.example"])
def test_another_domains_user_is_somebody_else(
    netlogon: SettingsSetter, start: Starter, browser: Browser, name: str
) -> None:
    assert VAGUE in failure_words(start(browser, name, WINDOWS_PASSWORD))


def test_a_wrong_password_is_refused_and_recorded(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    response = start(browser, password="not this one")

    assert VAGUE in failure_words(response)
    assert failure().method == Method.NETLOGON
    assert failure().detail == "password: wrong password (49 Invalid credentials)"


def test_the_pbx_password_is_no_windows_password(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    assert VAGUE in failure_words(start(browser, password=PASSWORD))


@pytest.mark.parametrize("password", [PASSWORD, WINDOWS_PASSWORD])
@pytest.mark.parametrize("kind", Kind)
def test_with_both_either_password_logs_in(
    netlogon: SettingsSetter,
    start: Starter,
    browser: Browser,
    kind: Kind,
    password: str,
) -> None:
    netlogon(authentication_type=AuthenticationType.PBX_AND_NETLOGON)

    assert start(browser, password=password, path=PAGES[kind]).status_code == 302


def test_the_pbx_password_is_tried_first(
    netlogon: SettingsSetter, directory: Directory, start: Starter, browser: Browser
) -> None:
    netlogon(authentication_type=AuthenticationType.PBX_AND_NETLOGON)
    dn = directory.add_user("first")
    PbxUser.objects.create_user("first", PASSWORD)

    assert start(browser, "first", PASSWORD).status_code == 302
    assert directory.binds_failed(dn) == 0


def test_the_windows_password_is_stored_nowhere(
    netlogon: SettingsSetter, start: Starter, browser: Browser, user: PbxUser
) -> None:
    before = PbxUser.objects.values().get(pk=user.pk)

    start(browser, password=WINDOWS_PASSWORD)

    after = PbxUser.objects.values().get(pk=user.pk)
    assert before | {"last_login": None} == after | {"last_login": None}


def test_nobody_is_made_a_pbx_user_by_a_login(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    response = start(browser, "bert", WINDOWS_PASSWORD)

    assert VAGUE in failure_words(response)
    assert not PbxUser.objects.filter(name="bert").exists()
    assert "no active PBX user" in failure().detail


@pytest.mark.parametrize("active", [True, False])
def test_a_password_is_sent_for_active_pbx_users_alone(
    netlogon: SettingsSetter,
    directory: Directory,
    start: Starter,
    browser: Browser,
    active: bool,
) -> None:
    name = f"sent-{active}".lower()
    dn = directory.add_user(name)
    PbxUser.objects.create_user(name, is_active=active)

    start(browser, name, "a wrong one")

    assert directory.binds_failed(dn) == int(active)


STRANGER = "198.51.100.9"


def guess(start: Starter, name: str, times: int, **place: str) -> list[int]:
    wrong = [start(Browser(**place), name, "a wrong one") for _ in range(times)]
    return [answer.status_code for answer in wrong]


def test_after_some_failures_the_directory_is_left_alone(
    netlogon: SettingsSetter, directory: Directory, start: Starter, browser: Browser
) -> None:
    dn = directory.add_user("guessed")
    PbxUser.objects.create_user("guessed")

    statuses = guess(start, "guessed", 3)
    response = start(browser, "guessed", WINDOWS_PASSWORD)

    assert statuses == [200, 200, 429]
    assert response.status_code == 429
    assert "Please wait ten minutes" in response.content.decode()
    assert failure().detail == "2 failures in 10 minutes, not asked"
    assert directory.binds_failed(dn) == 2


@pytest.mark.parametrize(
    "option", [AuthenticationType.NETLOGON_ONLY, AuthenticationType.PBX_AND_NETLOGON]
)
def test_an_unknown_name_is_told_to_wait_as_a_known_one_is(
    netlogon: SettingsSetter, start: Starter, option: AuthenticationType
) -> None:
    netlogon(authentication_type=option)

    assert guess(start, "nobody", 4) == guess(start, "anna", 4)


def test_strangers_leave_the_owner_a_try_where_they_are_known(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    start(browser, password=WINDOWS_PASSWORD)
    browser.post("/logout/")
    guess(start, "anna", 5, REMOTE_ADDR=STRANGER)

    assert guess(start, "anna", 1) == [200]
    assert guess(start, "anna", 1) == [429]


def test_strangers_leave_the_owner_a_try_in_their_own_session(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    start(browser, password=WINDOWS_PASSWORD)
    guess(start, "anna", 5, REMOTE_ADDR=STRANGER)
    right = {"login": "anna", "password": WINDOWS_PASSWORD}

    answer = browser.post("/login/again/", right, REMOTE_ADDR="192.0.2.7")

    assert answer.status_code == 302


def test_where_the_owner_has_had_every_try_strangers_have_none(
    netlogon: SettingsSetter, directory: Directory, start: Starter, browser: Browser
) -> None:
    dn = directory.add_user("owner")
    PbxUser.objects.create_user("owner")
    start(browser, "owner", WINDOWS_PASSWORD)

    assert guess(start, "owner", 4) == [200, 200, 200, 429]
    assert guess(start, "owner", 1, REMOTE_ADDR=STRANGER) == [429]
    assert directory.binds_failed(dn) == 3


def test_a_single_try_is_kept_for_nobody(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    netlogon(netlogon_max_failures=1)

    assert start(browser, password=WINDOWS_PASSWORD).status_code == 302


def test_a_success_forgives_earlier_failures(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    for password in ["wrong", WINDOWS_PASSWORD, "wrong", "wrong"]:
        start(Browser(), password=password)

    assert start(browser, password=WINDOWS_PASSWORD).status_code == 302


@pytest.mark.parametrize("password", ["", " ", "\t\n", "\0", f"{WINDOWS_PASSWORD}\0"])
def test_empty_and_nul_passwords_never_reach_the_network(
    netlogon: SettingsSetter, user: PbxUser, password: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(method, "ask", pytest.fail)

    assert method.check("anna", password) is None


@pytest.mark.parametrize(
    "name", ["*", "an*", "anna)(objectClass=*", "*)(|(cn=*", "anna\\2a", "(anna)", "&"]
)
def test_a_name_is_no_filter(
    netlogon: SettingsSetter, start: Starter, browser: Browser, name: str
) -> None:
    PbxUser.objects.bulk_create([PbxUser(name=name)])

    assert VAGUE in failure_words(start(browser, name, WINDOWS_PASSWORD))
    assert not AuditEvent.objects.filter(event=Event.LOGIN).exists()


def test_a_name_full_of_signs_finds_its_own_account(
    netlogon: SettingsSetter, directory: Directory, start: Starter, browser: Browser
) -> None:
    directory.add_user("a,b+c (d) *")
    PbxUser.objects.bulk_create([PbxUser(name="a,b+c (d) *")])

    assert start(browser, "a,b+c (d) *", WINDOWS_PASSWORD).status_code == 302


def test_a_percent_sign_in_the_filter_is_one(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    netlogon(netlogon_user_filter="(&(sAMAccountName=%(user)s)(!(sn=100% %s)))")

    assert start(browser, password=WINDOWS_PASSWORD).status_code == 302


@pytest.mark.parametrize("group", [STAFF, STAFF.upper(), EVERYBODY])
def test_members_of_the_required_group_log_in(
    netlogon: SettingsSetter, start: Starter, browser: Browser, group: str
) -> None:
    netlogon(netlogon_group=group, netlogon_base_dn=USERS)

    assert start(browser, password=WINDOWS_PASSWORD).status_code == 302


def test_groups_in_a_ring_are_followed_once(
    netlogon: SettingsSetter, start: Starter, browser: Browser, bert: PbxUser
) -> None:
    netlogon(netlogon_group=EVERYBODY)
    assert start(browser, "bert", WINDOWS_PASSWORD).status_code == 302

    netlogon(netlogon_group=NOBODY)
    response = start(Browser(), "bert", WINDOWS_PASSWORD)
    assert VAGUE in failure_words(response)
    assert "not a member of the required group" in failure().detail


def test_a_group_that_is_missing_lets_nobody_in(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    netlogon(netlogon_group=f"cn=missing,{GROUPS}")

    assert NO_ANSWER in failure_words(start(browser, password=WINDOWS_PASSWORD))
    assert "the required group does not exist" in failure().detail


@pytest.fixture
def closed(netlogon: SettingsSetter, directory: Directory) -> Iterator[str]:
    """A user whose account the test closes; the value is its DN."""
    PbxUser.objects.create_user("closed")
    dn = directory.add_user("closed")
    yield dn
    directory.forget(dn)


@pytest.mark.parametrize(("attributes", "words"), CLOSINGS)
@pytest.mark.parametrize("password", [WINDOWS_PASSWORD, "not it"])
def test_an_account_that_is_closed_is_refused(
    directory: Directory,
    closed: str,
    start: Starter,
    browser: Browser,
    attributes: dict[str, str],
    words: str,
    password: str,
) -> None:
    directory.change(closed, **attributes)

    response = start(browser, "closed", password)

    assert VAGUE in failure_words(response)
    assert f": {words}" in failure().detail


def test_a_locked_account_is_refused(
    directory: Directory, closed: str, start: Starter, browser: Browser
) -> None:
    directory.change(closed, pwdAccountLockedTime="20260101000000Z")

    assert VAGUE in failure_words(start(browser, "closed", WINDOWS_PASSWORD))
    assert failure().detail.startswith("password: the account is locked")


def test_a_right_password_of_a_closed_account_is_no_failure(
    directory: Directory, closed: str, start: Starter, browser: Browser
) -> None:
    directory.change(closed, userAccountControl="514")
    for _ in range(4):
        assert VAGUE in failure_words(start(Browser(), "closed", WINDOWS_PASSWORD))

    directory.change(closed, userAccountControl="512")
    assert start(browser, "closed", WINDOWS_PASSWORD).status_code == 302


def test_a_right_password_outside_the_required_group_is_no_failure(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    netlogon(netlogon_group=NOBODY)
    for _ in range(4):
        assert VAGUE in failure_words(start(Browser(), password=WINDOWS_PASSWORD))

    netlogon(netlogon_group=STAFF)
    assert start(browser, password=WINDOWS_PASSWORD).status_code == 302


def test_a_wrong_password_of_a_closed_account_is_a_failure(
    directory: Directory, closed: str, start: Starter, browser: Browser
) -> None:
    directory.change(closed, userAccountControl="514")
    start(Browser(), "closed", "not it")
    assert directory.binds_failed(closed) == 1
    for _ in range(3):
        start(Browser(), "closed", "not it")

    start(browser, "closed", WINDOWS_PASSWORD)
    assert failure().detail.endswith("not asked")


@pytest.mark.parametrize("expires", ["0", "9223372036854775807", "200000000000000000"])
def test_an_account_that_ends_later_or_never_logs_in(
    netlogon: SettingsSetter,
    directory: Directory,
    start: Starter,
    browser: Browser,
    expires: str,
) -> None:
    dn = directory.add_user("lasting", accountExpires=expires)
    PbxUser.objects.create_user("lasting")

    response = start(browser, "lasting", WINDOWS_PASSWORD)
    directory.remove(dn)

    assert response.status_code == 302


def test_two_accounts_of_one_name_are_refused(
    netlogon: SettingsSetter, directory: Directory, start: Starter, browser: Browser
) -> None:
    netlogon(netlogon_user_filter="(|(sAMAccountName=%(user)s)(objectClass=user))")

    assert VAGUE in failure_words(start(browser, password=WINDOWS_PASSWORD))
    assert "several accounts match" in failure().detail


def test_a_wrong_password_of_the_service_accounts_user_is_his_own_failure(
    netlogon: SettingsSetter, start: Starter, browser: Browser
) -> None:
    netlogon(netlogon_user_filter="(cn=%(user)s)")
    PbxUser.objects.create_user("service")

    assert start(browser, "service", "not it").status_code == 200
    assert failure().detail.startswith("password: wrong password")


def test_an_inactive_user_logs_in_with_neither_password(
    netlogon: SettingsSetter, start: Starter, browser: Browser, user: PbxUser
) -> None:
    netlogon(authentication_type=AuthenticationType.PBX_AND_NETLOGON)
    PbxUser.objects.filter(pk=user.pk).update(is_active=False)

    assert VAGUE in failure_words(start(browser, password=PASSWORD))
    assert VAGUE in failure_words(start(browser, password=WINDOWS_PASSWORD))
