"""OAuth2 in real browsers, at a certified provider: approved, connected, and down."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import NewPage
from tests.support import axe
from tests.support.provider import Provider
from tests.support.site import (
    ADMIN_PASSWORD,
    COPY_SECONDS,
    Site,
    free_port,
    link_in,
    log_in,
    look,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
BUTTON = "#oauth2-login"


@pytest.fixture(scope="module")
def site(site: Site) -> Site:
    site.manage("pbxusers", "add", "anna", "--email=anna@example.com")
    return site


@pytest.fixture
def oauth2(site: Site, provider: Provider) -> Callable[..., None]:
    """Let people log in with OAuth2 beside their PBX passwords, with changes."""

    def use(*changes: str) -> None:
        values = provider.settings(authentication_type="pbx_and_oauth2")
        words = [f"{key}={value}" for key, value in values.items()]
        site.manage("authconfig", "set", *words, *changes)

    use("two_factor=off")
    return use


def check(page: Page, name: str) -> None:
    page.wait_for_load_state()
    look(page, name)
    assert axe.faults(page) == []


def test_the_page_on_the_way_to_the_provider(
    site: Site, new_page: NewPage, oauth2: Callable[..., None], provider: Provider
) -> None:
    page = new_page()
    # It leads on at once: nobody is there, and it stays.
    page.route(f"{provider.issuer}/**", lambda route: route.fulfill(status=204))
    page.goto(f"{site.url}/login/")
    page.click(BUTTON)
    expect(page.get_by_role("link", name="Continue")).to_be_visible()
    check(page, "oauth2-start")


def log_in_there(page: Page, account: str) -> None:
    page.fill('input[name="login"]', account)
    page.fill('input[name="password"]', "any")
    page.click('button[type="submit"]')


def test_a_login_at_the_provider_waits_for_its_approval(
    site: Site, new_page: NewPage, oauth2: Callable[..., None]
) -> None:
    oauth2()
    site.switch_two_factor_on()
    page, seen = new_page(), len(site.mails())
    page.goto(f"{site.url}/login/")
    look(page, "login")
    page.click(BUTTON)
    log_in_there(page, "1")

    code = page.locator("#approval-code").inner_text()
    other = new_page()
    other.goto(link_in(site.new_mail(seen)))
    other.fill('input[name="code"]', code)
    other.click('button[value="accept"]')

    expect(page).to_have_url(f"{site.url}/account/")
    expect(page.locator(".lead strong")).to_have_text("anna")
    expect(page.get_by_text("is connected to this one")).to_be_visible()


@pytest.mark.long
def test_an_administrator_tries_it_out_and_then_leaves_the_passwords(
    site: Site, new_page: NewPage, oauth2: Callable[..., None]
) -> None:
    page = new_page()
    log_in(page, site, "admin", ADMIN_PASSWORD)
    page.goto(f"{site.url}/admin/authconfig/authenticationsettings/")
    page.locator("#id_oauth2_client_id").fill("")
    tab = opened_by(page)
    expect(tab.get_by_text("These values cannot be tested")).to_be_visible()
    check(tab, "roundtrip-faults")
    page.reload()
    tab = opened_by(page)
    log_in_there(tab, "2")
    expect(tab.get_by_text("Nobody would be logged in")).to_be_visible()
    check(tab, "roundtrip-failed")
    tab.get_by_role("button", name="Connect it to my PBX user").click()
    expect(tab.get_by_text("This account logs in as")).to_have_text(
        "This account logs in as admin."
    )
    check(tab, "roundtrip-ok")

    page.get_by_label("OAuth2 only").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved:")).to_be_visible()
    time.sleep(COPY_SECONDS)
    other = new_page()
    other.goto(f"{site.url}/login/?next=/admin/")
    expect(other.locator('input[name="password"]')).to_have_count(0)
    check(other, "oauth2-only")
    other.click(BUTTON)
    log_in_there(other, "2")
    expect(other).to_have_url(re.compile(r"/admin/$"))
    site.manage("authconfig", "set", "authentication_type=pbx_and_oauth2")
    disconnect(site, "admin")


def opened_by(page: Page) -> Page:
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="Log in there").click()
    return opened.value


def disconnect(site: Site, name: str) -> None:
    words = f"ProviderIdentity.objects.filter(user__name={name!r}).delete()"
    site.manage("shell", "-v0", "-c", words)


@pytest.mark.long
def test_an_administrator_connects_the_account_first(
    site: Site, new_page: NewPage, oauth2: Callable[..., None]
) -> None:
    page = new_page()
    page.goto(f"{site.url}/login/")
    page.click(BUTTON)
    log_in_there(page, "2")
    expect(page.get_by_text("connect your account first")).to_be_visible()
    check(page, "connect-first")

    log_in(page, site, "admin", ADMIN_PASSWORD)
    page.get_by_role("button", name="Connect").click()
    # Whoever is signed in here has to show himself there once more.
    log_in_there(page, "2")
    expect(page.get_by_text("is connected: you can log in with it")).to_be_visible()
    check(page, "connected")

    other = new_page()
    other.goto(f"{site.url}/login/?next=/admin/")
    other.click(BUTTON)
    log_in_there(other, "2")
    expect(other).to_have_url(re.compile(r"/admin/$"))


@pytest.mark.long
def test_the_login_page_is_there_while_the_provider_is_not(
    site: Site, new_page: NewPage, oauth2: Callable[..., None]
) -> None:
    away = f"http://127.0.0.1:{free_port()}/.well-known/openid-configuration"
    oauth2(f"oauth2_well_known_url={away}", "oauth2_client_secret=any")
    page = new_page()
    page.goto(f"{site.url}/login/?next=/account/")
    page.click(BUTTON)

    expect(page.get_by_text("does not answer at present")).to_be_visible()
    expect(page.get_by_text(re.compile(r"Reference: \w{8}"))).to_be_visible()
    expect(page.locator(BUTTON)).to_be_visible()
    check(page, "provider-down")
    log_in(page, site, "admin", ADMIN_PASSWORD)
    expect(page).to_have_url(f"{site.url}/account/")
