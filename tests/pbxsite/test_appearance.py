"""Readers choose their language and light or dark, with scripts or without."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.test import Client as Browser
from django.utils import translation

from tests.support.html import Page

pytestmark = pytest.mark.django_db
FORGOTTEN = "/login/forgot/?next=/account/"


def shown(browser: Browser, path: str = "/login/") -> Page:
    return Page(browser.get(path).content.decode())


def choose(browser: Browser, **chosen: str) -> HttpResponse:
    return browser.post("/preferences/", {"next": FORGOTTEN, **chosen})  # type: ignore[return-value]


def root_of(page: Page) -> dict[str, str]:
    return next(
        attributes for tag, attributes, _words in page.elements if tag == "html"
    )


def test_a_form_that_needs_no_script_sends_both(browser: Browser) -> None:
    page = shown(browser, FORGOTTEN)

    (form,) = page.find(id="preferences")
    assert (form["method"], form["action"]) == ("post", "/preferences/")
    assert "hidden" not in form
    assert "Apply" in " ".join(page.texts("preferences"))
    assert page.find(name="next", value=FORGOTTEN)


@translation.override("en")
def test_choices_are_kept_and_lead_back(browser: Browser) -> None:
    answer = choose(browser, language="de", scheme="dark")

    assert answer.headers["Location"] == FORGOTTEN
    root = root_of(shown(browser))
    assert (root["lang"], root["data-scheme"]) == ("de", "dark")
    chosen = [a["value"] for a in shown(browser).find(selected="")]
    assert chosen == ["de", "dark"]
    assert answer.cookies["pbx_scheme"]["max-age"] == 365 * 24 * 3600


def test_the_device_decides_again(browser: Browser) -> None:
    choose(browser, language="en", scheme="dark")

    choose(browser, language="en", scheme="")

    assert "data-scheme" not in root_of(shown(browser))


@pytest.mark.parametrize("made_up", ["blue", '"><script>', "dark light"])
def test_nobody_makes_a_scheme_up(browser: Browser, made_up: str) -> None:
    choose(browser, language="xx", scheme=made_up)
    browser.cookies["pbx_scheme"] = made_up

    root = root_of(shown(browser))

    assert (root["lang"], root.get("data-scheme")) == ("en", None)


@pytest.mark.parametrize("wanted", ["https://evil.test/", "//evil.test", ""])
def test_it_leads_nowhere_else(browser: Browser, wanted: str) -> None:
    answer = choose(browser, language="de", next=wanted)

    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize("name", ["500.html", "503.html", "503_crowded.html"])
def test_pages_of_a_failure_have_no_form(name: str) -> None:
    assert "<form" not in render_to_string(name)
