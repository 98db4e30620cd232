from __future__ import annotations

import re

import pytest
from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.test import Client as Browser
from django.test import RequestFactory

from authconfig.choices import Event, Method
from authconfig.methods import CHECKS
from authconfig.names import name_key
from authconfig.users.models import AuditEvent, PbxUser
from authconfig.users.passwords import (
    NoMemoryToHashError,
    NotHashedError,
    TooManyHashesError,
)
from tests.conftest import PASSWORD, SettingsSetter, Starter

pytestmark = pytest.mark.django_db


def test_nobody_signs_up() -> None:
    assert not get_adapter().is_open_for_signup(RequestFactory().get("/"))


@pytest.mark.parametrize(
    ("url", "is_safe"),
    [
        ("/account/", True),
        ("http://127.0.0.1:8000/account/", True),
        ("http://testserver/account/", False),
        ("https://evil.example/", False),
        ("//evil.example/", False),
        ("/\\evil.example", False),
        ("javascript:alert(1)", False),
        ("http://127.0.0.1:8000@evil.example/", False),
        ("", False),
    ],
)
def test_where_a_login_leads_to_is_this_site(url: str, is_safe: bool) -> None:
    assert get_adapter().is_safe_url(url) is is_safe


def test_a_login_is_recorded_with_who_where_and_how(
    browser: Browser, start: Starter, user: PbxUser
) -> None:
    start(browser, REMOTE_ADDR="192.0.2.7", HTTP_USER_AGENT="Firefox/1")

    event = AuditEvent.objects.get()
    assert (event.event, event.user, event.user_name) == (Event.LOGIN, user, "anna")
    assert (event.address, event.user_agent) == ("192.0.2.7", "Firefox/1")
    assert (event.kind, event.method) == ("myapps", "pbx")


@pytest.mark.parametrize(
    ("entered", "known"),
    [("ANNA", True), ("nobody", False), ("idle", True), ("\ufdfa" * 150, False)],
)
def test_a_failed_login_is_recorded_without_the_password(
    start: Starter, user: PbxUser, entered: str, known: bool
) -> None:
    PbxUser.objects.create_user("idle", PASSWORD, is_active=False)

    start(Browser(), entered, "wrong secret of mine")

    event = AuditEvent.objects.get()
    assert event.event == Event.LOGIN_FAILED
    assert (event.user is not None) is known
    digest = re.fullmatch(r"unknown name [0-9a-f]{8}", event.user_name)
    assert event.user_name == name_key(entered) if known else digest
    fields = AuditEvent.objects.values().get().values()
    assert "wrong secret of mine" not in " ".join(map(str, fields))


def test_what_was_typed_for_a_name_is_recorded_nowhere(start: Starter) -> None:
    for entered in ("My Secret Password", "my secret password ", "another"):
        start(Browser(), entered, "wrong")

    fields = AuditEvent.objects.values()
    assert "ecret" not in str(list(fields))
    first, again, other = AuditEvent.objects.order_by("pk")
    assert first.user_name == again.user_name != other.user_name


@pytest.mark.parametrize("path", ["/login/", "/mypbx/login/"])
def test_the_session_is_of_the_logins_kind(
    browser: Browser, start: Starter, path: str
) -> None:
    start(browser, path=path)

    kind = "myapps" if path == "/login/" else "mypbx"
    assert browser.session["kind"] == kind
    assert UserSession.objects.get().data == {
        "kind": kind,
        "method": "pbx",
        "approver": "",
        "approved_by": "",
    }
    assert "released" not in browser.session


def test_a_key_planted_before_the_login_is_worth_nothing_after_it(
    browser: Browser, start: Starter
) -> None:
    browser.cookies["pbx_session"] = planted = "p" * 32
    start(browser)

    assert browser.session.session_key != planted
    thief = Browser()
    thief.cookies["pbx_session"] = planted
    assert thief.get("/account/").status_code == 302


def test_logging_in_to_the_other_client_ends_the_session_before(
    browser: Browser, start: Starter
) -> None:
    start(browser)
    before = Browser()
    before.cookies = browser.cookies.copy()
    start(browser, path="/mypbx/login/")

    assert browser.session["kind"] == "mypbx"
    assert before.get("/account/").status_code == 302


def test_all_spellings_of_a_name_count_as_one(
    start: Starter, user: PbxUser, configure: SettingsSetter
) -> None:
    configure(pbx_domain="pbx.example", netlogon_netbios_name="AD")
    spellings = ["anna", "ANNA", " anna ", "anna@pbx.example", "AD\\anna"]

    for number in range(10):
        start(Browser(), spellings[number % 5], "wrong")

    assert start(Browser(), "\N{FULLWIDTH LATIN SMALL LETTER A}nna").status_code == 429


def test_right_passwords_use_up_no_failures(start: Starter, user: PbxUser) -> None:
    statuses = [start(Browser()).status_code for _ in range(12)]

    assert statuses == [302] * 12


@pytest.mark.parametrize("reason", [TooManyHashesError, NoMemoryToHashError])
def test_a_password_that_nobody_looked_at_is_no_failure(
    start: Starter,
    user: PbxUser,
    monkeypatch: pytest.MonkeyPatch,
    reason: type[NotHashedError],
) -> None:
    def refuse(*_words: str, **_facts: bool) -> None:
        raise reason

    with monkeypatch.context() as crowd:
        crowd.setitem(CHECKS, Method.PASSWORD, refuse)
        for _ in range(11):
            assert start(Browser()).status_code == 503

    assert not AuditEvent.objects.exists()
    assert start(Browser()).status_code == 302


def test_a_header_that_anyone_can_send_makes_no_other_address(
    start: Starter, user: PbxUser
) -> None:
    statuses = [
        start(
            Browser(),
            f"user{number}",
            "wrong",
            HTTP_X_FORWARDED_FOR=f"192.0.2.{number}",
        ).status_code
        for number in range(31)
    ]

    assert statuses[-1] == 429


def test_the_addresses_of_one_ipv6_network_count_as_one(
    start: Starter, user: PbxUser
) -> None:
    statuses = [
        start(
            Browser(REMOTE_ADDR=f"2001:db8::{number}"), f"user{number}", "wrong"
        ).status_code
        for number in range(31)
    ]

    assert statuses[-1] == 429
