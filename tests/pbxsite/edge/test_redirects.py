"""Visitors are led to https once; whoever comes back in a circle is told why."""

from __future__ import annotations

import logging

import pytest
from django.test import Client as Browser
from pytest_django import Settings

from pbxsite.edge import redirects

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def behind_https(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    redirects._log.cache_clear()


def test_a_visitor_by_http_is_led_to_https() -> None:
    answer = Browser().get("/login/")

    assert answer.status_code == 301
    assert answer["Location"] == "https://testserver/login/"
    # The browser does not remember it when the proxy is mended.
    assert "no-store" in answer["Cache-Control"]
    mark = answer.cookies[redirects.MARK]
    assert (mark["secure"], mark["path"]) == (True, "/")


def test_by_https_nothing_is_marked() -> None:
    answer = Browser().get("/login/", headers={"X-Forwarded-Proto": "https"})

    assert answer.status_code == 200
    assert redirects.MARK not in answer.cookies


@pytest.mark.parametrize(
    ("is_believed", "words"),
    [
        (True, "does not send “X-Forwarded-Proto: https”"),
        (False, "TRUSTED_PROXY_COUNT is 0"),
    ],
)
def test_a_circle_ends_at_a_page_and_in_the_log_once(
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    is_believed: bool,
    words: str,
) -> None:
    if not is_believed:
        settings.SECURE_PROXY_SSL_HEADER = None
    browser = Browser()
    browser.get("/login/")

    pages = [browser.get("/login/") for _ in range(3)]

    assert [page.status_code for page in pages] == [400, 400, 400]
    assert words in pages[-1].content.decode()
    assert "no-store" in pages[-1]["Cache-Control"]
    told = [r for r in caplog.records if r.name == redirects.__name__]
    assert [record.levelno for record in told] == [logging.ERROR]
    assert words in told[0].getMessage()


def test_the_page_of_a_circle_is_in_the_browsers_language() -> None:
    browser = Browser(headers={"Accept-Language": "de"})
    browser.get("/login/")

    page = browser.get("/login/").content.decode()

    assert "Diese Anfrage wurde nicht verstanden" in page


def test_health_is_asked_by_http_too() -> None:
    browser = Browser()
    browser.cookies[redirects.MARK] = "1"

    assert browser.get("/livez").status_code == 200
