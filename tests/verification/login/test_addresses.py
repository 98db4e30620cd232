"""The one place where a visitor's address is read."""

from __future__ import annotations

import logging

import pytest
from allauth.account.adapter import get_adapter
from django.test import Client as Browser
from django.test import RequestFactory
from pytest_django import Settings

from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import Starter
from verification.proxies import tell_of_silent_proxy
from verification.sessions.models import KnownAddress

pytestmark = pytest.mark.django_db
V4_IN_V6 = "::ffff:192.0.2."


def address(**headers: str) -> str:
    return str(get_adapter().get_client_ip(RequestFactory().get("/", **headers)))


@pytest.mark.parametrize(
    ("came", "read"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:C000:0207", "192.0.2.7"),
        ("2001:DB8::0007", "2001:db8::7"),
        ("fe80::7%eth0", "fe80::7"),
        ("::1", "::1"),
    ],
)
def test_an_address_is_read_in_its_plain_form(came: str, read: str) -> None:
    assert address(REMOTE_ADDR=came) == read


@pytest.mark.parametrize(
    ("came", "read"),
    [
        ("203.0.113.1, ::ffff:192.0.2.7", "192.0.2.7"),
        ("203.0.113.1, [::ffff:192.0.2.7]:4711", "192.0.2.7"),
        ("203.0.113.1, 192.0.2.7:4711", "192.0.2.7"),
    ],
)
def test_so_is_what_a_proxy_says(settings: Settings, came: str, read: str) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1

    assert address(HTTP_X_FORWARDED_FOR=came) == read


def test_users_behind_a_proxy_for_both_families_are_told_apart(
    start: Starter, user: PbxUser
) -> None:
    for number in range(31):
        browser = Browser(REMOTE_ADDR=f"{V4_IN_V6}9")
        start(browser, f"user{number}", "wrong")

    assert start(Browser(REMOTE_ADDR=f"{V4_IN_V6}9")).status_code == 429
    assert start(Browser(REMOTE_ADDR=f"{V4_IN_V6}7")).status_code == 302
    assert KnownAddress.objects.get().address == "192.0.2.7"
    assert AuditEvent.objects.filter(address="192.0.2.9").exists()


@pytest.mark.parametrize("header", ["192.0.2.7", "unknown, 192.0.2.7"])
@pytest.mark.parametrize("path", ["/login/", "/login/oauth2/"])
def test_a_proxy_count_that_does_not_fit_is_named_on_a_page_and_in_the_log(
    settings: Settings,
    start: Starter,
    caplog: pytest.LogCaptureFixture,
    header: str,
    path: str,
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 2

    with caplog.at_level(logging.ERROR):
        answer = start(Browser(), path=path, HTTP_X_FORWARDED_FOR=header)

    said = "TRUSTED_PROXY_COUNT is 2, which does not fit"
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert [said in record.getMessage() for record in caplog.records] == [True]


@pytest.mark.parametrize(
    ("count", "header", "blames_both"),
    [
        (1, "unknown", False),
        (1, "192.0.2.7, _hidden", False),
        (2, "unknown, 192.0.2.7", True),
    ],
)
def test_a_proxy_that_writes_no_address_is_named_as_the_cause(
    settings: Settings, count: int, header: str, blames_both: bool
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = count

    page = Browser().post("/login/", {"login": "a"}, HTTP_X_FORWARDED_FOR=header)

    word = "unknown" if "unknown" in header else "_hidden"
    text = page.content.decode()
    assert page.status_code == 400
    assert f"Your proxy wrote “{word}” into X-Forwarded-For" in text
    assert ("TRUSTED_PROXY_COUNT" in text) is blames_both


def test_a_proxy_that_names_nobody_is_told_of_once(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    tell_of_silent_proxy.cache_clear()

    assert address(REMOTE_ADDR="192.0.2.7") == "192.0.2.7"
    assert address(REMOTE_ADDR="192.0.2.8") == "192.0.2.8"

    [record] = caplog.records
    assert "TRUSTED_PROXY_COUNT is set, but a request came" in record.getMessage()


def test_another_bad_request_names_no_setting() -> None:
    answer = Browser().get("/login/", HTTP_HOST="evil.example")

    assert answer.status_code == 400
    assert "TRUSTED_PROXY_COUNT" not in answer.content.decode()
