"""Passkeys, an app's codes and recovery codes in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import NewPage
from tests.support.site import (
    ADMIN_PASSWORD,
    USER_PASSWORD,
    Site,
    link_in,
    log_in,
    look,
)
from tests.support.totp import totp

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def site(site: Site) -> Site:
    """A site with a name: browsers make no passkey for an IP address."""
    for name in ("anna", "bert"):
        site.add_user(name)
    return site


@pytest.fixture
def page(new_page: NewPage) -> Page:
    return new_page()


def give_authenticator(page: Page) -> None:
    """Plug in what a phone or a key would be; it always says yes."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def log_out(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/account/")
    page.get_by_role("banner").get_by_role("button", name="Log out").click()


def test_a_passkey_is_added_and_asked_for(page: Page, site: Site) -> None:
    give_authenticator(page)
    log_in(page, site, "anna", USER_PASSWORD)
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill("My phone")
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("My phone").first).to_be_visible()
    log_out(page, site)

    log_in(page, site, "anna", USER_PASSWORD)
    expect(page).to_have_url(f"{site.url}/login/factor/")
    for _ in range(11):
        page.get_by_label("Code").fill("wrong")
        page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("Too many failed logins")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()

    expect(page).to_have_url(f"{site.url}/account/")
    expect(page.get_by_text("Added without an approval").first).to_be_visible()


def test_an_app_and_a_recovery_code_log_in(page: Page, site: Site) -> None:
    log_in(page, site, "bert", USER_PASSWORD)
    page.get_by_role("link", name="Add an authenticator app").click()
    secret = page.locator(".key").inner_text()
    page.get_by_label("Six digits").fill(totp(secret))
    page.get_by_role("button", name="Add the app").click()
    shown = page.locator(".recovery-codes code")
    expect(shown).to_have_count(10)
    codes = shown.all_inner_texts()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert copied.split() == download.value.path().read_text().split() == codes
    assert download.value.suggested_filename == "recovery-codes.txt"
    # A browser without a screen has no dialog for it.
    page.evaluate("window.print = () => document.body.dataset.printed = 'yes'")
    page.get_by_role("button", name="Print").click()
    expect(page.locator("body[data-printed]")).to_be_attached()
    page.emulate_media(media="print")
    expect(page.get_by_text(codes[0], exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    page.emulate_media(media="screen")
    expect(page.get_by_role("button", name="Print")).to_be_visible()
    log_out(page, site)

    log_in(page, site, "bert", USER_PASSWORD)
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Confirm").click()

    expect(page).to_have_url(f"{site.url}/account/")
    expect(page.get_by_text(re.compile("9 codes are left"))).to_be_visible()


def test_a_user_chooses_language_and_light_or_dark(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/login/")
    page.get_by_label("Appearance").select_option("Dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_label("Appearance").select_option("Light")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark

    page.get_by_label("Language").select_option("Deutsch")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.locator("html")).to_have_attribute("data-scheme", "light")


@pytest.mark.long
def test_a_passkey_from_before_the_switch_is_approved_once(
    page: Page, site: Site, new_page: NewPage
) -> None:
    """The last story here: it switches two-factor on."""
    site.add_user("carl", "--email", "carl@example.com")
    give_authenticator(page)
    log_in(page, site, "carl", USER_PASSWORD)
    page.get_by_role("link", name="Add a passkey").click()
    look(page, "add")
    page.get_by_role("button", name="Add the passkey").click()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("Added without an approval").first).to_be_visible()
    log_out(page, site)
    see_the_offer(new_page(), site)
    site.switch_two_factor_on()

    seen = len(site.mails())
    log_in(page, site, "carl", USER_PASSWORD)
    expect(page.get_by_role("button", name="Log in without it")).to_be_visible()
    look(page, "factor")
    page.get_by_role("button", name="Use a passkey").click()
    code = page.locator("#approval-code").inner_text()
    look(page, "waiting")
    accept(new_page(), link_in(site.new_mail(seen)), code)

    expect(page).to_have_url(f"{site.url}/account/")
    look(page, "account")
    log_out(page, site)
    log_in(page, site, "carl", USER_PASSWORD)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(f"{site.url}/account/")


def see_the_offer(admin: Page, site: Site) -> None:
    path = "/admin/authconfig/authenticationsettings/"
    log_in(admin, site, "admin", ADMIN_PASSWORD, f"/login/?next={path}")
    admin.get_by_label("Two-factor authentication", exact=True).check()
    expect(admin.get_by_label(re.compile("Remove the passkeys"))).to_be_visible()
    look(admin, "switch")


def accept(page: Page, link: str, code: str) -> None:
    page.goto(link)
    expect(page.get_by_text("This login also shows")).to_be_visible()
    look(page, "decide")
    page.fill('input[name="code"]', code)
    page.click('button[value="accept"]')
