"""An administrator lets a provider say who the users are, and a leaver is out."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import NewPage
from tests.support.scim_provider import Provider
from tests.support.site import USER_PASSWORD, Site, log_in, look

pytestmark = [pytest.mark.browser, pytest.mark.long]
NAMES = ("anna", "bert", "clara", "dora", "emil", "frieda", "gerd", "hanna")
SETTINGS = "/admin/authconfig/authenticationsettings/"


@pytest.fixture(scope="module")
def site(site: Site) -> Site:
    site.add_user("anna", "--email=old@example.com")
    return site


def test_an_administrator_lets_a_provider_write_users(
    site: Site, admin_page: Page, new_page: NewPage
) -> None:
    page = admin_page
    page.goto(f"{site.url}{SETTINGS}users-by-scim/")
    page.get_by_role("link", name="Make a key").click()
    page.get_by_role("button", name="Make a key").click()
    provider = Provider(site.url, page.get_by_label("Key (secret token)").input_value())
    made = {name: provider.add(name) for name in NAMES}

    page.goto(f"{site.url}/admin/")
    expect(page.get_by_text("Nothing has come yet of what").first).to_be_visible()
    page.goto(f"{site.url}{SETTINGS}")
    # What is in use stands open already.
    for part in ("#section-oauth2", "#part-scim"):
        page.locator(part).evaluate("part => { part.open = true }")
    look(page, "scim-settings")
    page.get_by_role("link", name="Requests and runs").click()
    expect(page.get_by_text("POST /Users").first).to_be_visible()
    look(page, "scim-page")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("This is what a run would do.")).to_be_visible()
    look(page, "scim-preview")
    page.get_by_role("link", name="Do this now").click()
    page.get_by_role("button", name="Change them now").click()
    expect(page.get_by_text("The users are as the provider has them.")).to_be_visible()

    anna = new_page()
    log_in(anna, site, "anna", USER_PASSWORD)
    expect(anna).to_have_url(f"{site.url}/account/")
    begun = time.monotonic()
    provider.let_go(made["anna"])
    expect(anna).to_have_url(f"{site.url}/login/?next=/account/", timeout=2000)
    assert time.monotonic() - begun < 2

    for name in NAMES[1:]:
        provider.let_go(made[name])
    page.goto(f"{site.url}{SETTINGS}users-by-scim/")
    expect(page.get_by_text("still active")).to_be_visible()
    look(page, "scim-stop")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("link", name="Deactivate 5 users").click()
    page.get_by_role("button", name="Change them now").click()
    expect(page.get_by_text("The users are as the provider has them.")).to_be_visible()
    assert site.manage("pbxusers", "export").count(",0\n") == len(NAMES)

    page.goto(f"{site.url}{SETTINGS}users-by-scim/")
    page.get_by_role("link", name="Revoke the key").click()
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.get_by_text("The SCIM key is revoked.")).to_be_visible()
    assert provider.ask("GET").status_code == 401
