"""The whole way without a mouse, on the users' pages and in the administration."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.conftest import NewPage
from tests.support.site import (
    USER_PASSWORD,
    Site,
    link_in,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
# More than any page has controls.
MOST_CONTROLS = 120
SETTINGS = "/admin/authconfig/authenticationsettings/"


@pytest.fixture(scope="module")
def site(site: Site) -> Site:
    site.add_users(("anna", "bert"))
    return site


def walk_to(page: Page, control: Locator) -> None:
    """Press the tabulator until the control has the focus."""
    for _ in range(MOST_CONTROLS):
        if control.evaluate("each => each === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no key leads to {control}")


def press(page: Page, control: Locator, key: str = "Enter") -> None:
    walk_to(page, control)
    page.keyboard.press(key)


def by_keys(page: Page, site: Site, name: str) -> None:
    """Log in; the cursor stands in the first field."""
    page.goto(f"{site.url}/login/")
    # A browser may give it the focus only as it draws the page.
    expect(page.locator('input[name="login"]')).to_be_focused()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(USER_PASSWORD)
    page.keyboard.press("Enter")


def decide(page: Page, code: str) -> None:
    walk_to(page, page.locator('input[name="code"]'))
    page.keyboard.type(code)
    press(page, page.locator('button[value="accept"]'))


def test_a_login_and_its_approvals(site: Site, new_page: NewPage) -> None:
    signed_in = new_page()
    by_keys(signed_in, site, "anna")
    expect(signed_in).to_have_url(f"{site.url}/account/")
    site.switch_two_factor_on()

    waiting, seen = new_page(), len(site.mails())
    by_keys(waiting, site, "anna")
    code = waiting.locator("#approval-code").inner_text()
    other = new_page()
    other.goto(link_in(site.new_mail(seen)))
    decide(other, code)
    expect(waiting).to_have_url(f"{site.url}/account/")

    second = new_page()
    by_keys(second, site, "anna")
    code = second.locator("#approval-code").inner_text()
    decide(signed_in, code)
    expect(second).to_have_url(f"{site.url}/account/")

    third = new_page()
    by_keys(third, site, "anna")
    press(third, third.get_by_role("button", name="Cancel this login"))
    expect(third.get_by_text("The login was cancelled")).to_be_visible()
    press(second, second.get_by_role("banner").get_by_role("button", name="Log out"))
    expect(second).to_have_url(f"{site.url}/login/")
    site.manage("authconfig", "set", "two_factor=off")


def test_the_password_is_changed(site: Site, new_page: NewPage) -> None:
    page = new_page()
    by_keys(page, site, "bert")
    press(page, page.get_by_role("link", name="Change password"))
    walk_to(page, page.get_by_label("Present password"))
    page.keyboard.type(USER_PASSWORD)
    for label in ("New password", "New password again"):
        walk_to(page, page.get_by_label(label, exact=True))
        page.keyboard.type("another long password")
    press(page, page.get_by_role("button", name="Change password"))

    expect(page.get_by_text("Your password was changed.")).to_be_visible()


@pytest.mark.long
def test_the_settings_are_changed(site: Site, admin_page: Page) -> None:
    admin_page.goto(f"{site.url}{SETTINGS}")
    walk_to(admin_page, admin_page.get_by_role("radio", name="PBX only"))
    admin_page.keyboard.press("ArrowDown")
    expect(admin_page.get_by_role("radio", name="Netlogon only")).to_be_checked()
    admin_page.keyboard.press("ArrowUp")
    press(admin_page, admin_page.locator("summary", has_text="PBX domain").first)
    walk_to(admin_page, admin_page.get_by_label("PBX domain", exact=True))
    admin_page.keyboard.type("example.com")
    press(admin_page, admin_page.get_by_role("button", name="Save", exact=True))

    expect(admin_page.get_by_text("Saved:")).to_be_visible()


def test_lists_are_filtered_and_acted_on(site: Site, admin_page: Page) -> None:
    admin_page.goto(f"{site.url}/admin/usersessions/usersession/")
    press(admin_page, admin_page.get_by_role("button", name=re.compile("^Filters")))
    expect(admin_page.locator("#changelist-filter")).to_be_visible()
    admin_page.keyboard.press("Escape")
    box = admin_page.locator("input.action-select").first
    press(admin_page, box, "Space")
    expect(box).to_be_checked()
    press(admin_page, box, "Space")
    press(admin_page, admin_page.locator("#action-toggle"), "Space")
    expect(box).to_be_checked()
    expect(admin_page.locator(".action-counter")).to_have_text(re.compile("selected"))
    expect(admin_page.locator(".action-counter")).not_to_have_text(re.compile("^0"))


def test_the_administrators_menu_is_opened_and_leads_out(
    site: Site, admin_page: Page
) -> None:
    admin_page.set_viewport_size({"width": 1280, "height": 900})
    press(admin_page, admin_page.get_by_role("button", name=re.compile("admin@")))
    press(admin_page, admin_page.get_by_role("button", name="Log out"))

    expect(admin_page).to_have_url(f"{site.url}/login/")


@pytest.mark.parametrize(("width", "is_open"), [(390, False), (1400, True)])
def test_the_navigation_is_opened_and_closed(
    admin_page: Page, width: int, is_open: bool
) -> None:
    admin_page.set_viewport_size({"width": width, "height": 900})
    admin_page.goto(admin_page.url)
    navigation = admin_page.locator("#nav-sidebar")
    expect(navigation).to_be_visible(visible=is_open)

    button = admin_page.locator("[x-on\\:click*=sidebarToggle]", has_text="dock")
    press(admin_page, button)
    expect(navigation).to_be_visible(visible=not is_open)
