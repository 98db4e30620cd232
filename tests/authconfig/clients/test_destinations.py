"""Where a login leads, by whatever way it came to be complete."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.test import Client as Browser

from authconfig.clients.models import ClientApplication
from tests.authconfig.clients.test_return_urls import HOSTILE
from tests.conftest import Starter

pytestmark = pytest.mark.django_db
SITE = "http://127.0.0.1:8000"
APPS = "https://apps.example.com/"


@pytest.fixture
def apps() -> ClientApplication:
    return ClientApplication.objects.create(
        name="Apps",
        slug="apps",
        start_url=f"{APPS}voicemail/",
        return_urls=f"{APPS}voicemail/\nhttps://chat.example.com",
    )


def starts_at(slug: str, url: str) -> None:
    ClientApplication.objects.filter(slug=slug).update(start_url=url)


@pytest.mark.parametrize("path", ["/login/", "/mypbx/login/"])
def test_a_login_that_wanted_nothing_leads_to_the_account(
    browser: Browser, start: Starter, path: str
) -> None:
    assert start(browser, path=path)["Location"] == "/account/"


@pytest.mark.parametrize(
    ("path", "slug"), [("/login/", "myapps"), ("/mypbx/login/", "mypbx")]
)
def test_or_to_the_start_of_its_kind(
    browser: Browser, start: Starter, path: str, slug: str
) -> None:
    starts_at("myapps", "https://myapps.example.com/")
    starts_at("mypbx", "https://mypbx.example.com/")

    assert start(browser, path=path)["Location"] == f"/clients/{slug}/open/"
    # And so does the login page of whoever is logged in already.
    assert browser.get(path)["Location"] == f"/clients/{slug}/open/"


def test_a_login_leads_to_the_client_that_was_wanted(
    apps: ClientApplication, browser: Browser, start: Starter
) -> None:
    starts_at("myapps", "https://myapps.example.com/")
    wanted = quote(f"{APPS}voicemail/7?a=b", safe="")

    response = start(browser, path=f"/login/?next={wanted}")

    assert response["Location"] == f"/clients/apps/open/?return={wanted}"
    again = browser.get(f"/login/?next={wanted}")
    assert again["Location"] == response["Location"]


OWN = ("/voicemail/", f"{SITE}/myappsevil")
THROUGH_THE_FORM = ("user", "backslash after host", "climbing", "header injection")


@pytest.mark.parametrize("url", [HOSTILE[name] for name in THROUGH_THE_FORM])
def test_a_login_leads_to_no_hostile_address(
    apps: ClientApplication, browser: Browser, start: Starter, url: str
) -> None:
    response = start(browser, path=f"/login/?next={quote(url, safe='')}")

    assert response["Location"] == "/account/"


def test_neither_the_login_page_nor_a_client_leads_to_a_hostile_address(
    apps: ClientApplication, browser: Browser, start: Starter
) -> None:
    """Nor does the page of whoever is logged in already."""
    start(browser)

    for name, url in HOSTILE.items():
        cache.clear()
        onward = browser.get("/login/", {"next": url})["Location"]
        assert onward == (url if url in OWN else "/account/"), name
        page = browser.get("/clients/apps/open/", {"return": url}).content.decode()
        assert f'href="{apps.start_url}"' in page, name
        assert f'content="0; url={apps.start_url}"' in page, name
        # The form that chooses a language leads back to this very page.
        assert "evil" not in re.sub(r'name="next" value="/[^"]*"', "", page), name
