"""The whole way without a mouse, on the users' pages and in the administration."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.conftest import NewPage
from tests.site import ADMIN_PASSWORD, Site, link_in, log_in, running_site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
PASSWORD = "a long user's password"
# More than any page has controls.
MOST_CONTROLS = 120
SETTINGS = "/admin/authconfig/authenticationsettings/"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as running:
        for name in ("anna", "bert"):
            words = ("pbxusers", "add", name, f"--email={name}@example.com")
            running.manage(*words, "--password-stdin", stdin=f"{PASSWORD}\n")
        yield running


@pytest.fixture
def admin(site: Site, new_page: NewPage) -> Page:
    page = new_page()
    log_in(page, site, "admin", ADMIN_PASSWORD, "/login/?next=/admin/")
    expect(page).to_have_url(f"{site.url}/admin/")
    return page


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
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")


def decide(page: Page, code: str) -> None:
    walk_to(page, page.locator('input[name="code"]'))
    page.keyboard.type(code)
    press(page, page.locator('button[value="accept"]'))


def test_a_login_and_its_approvals(site: Site, new_page: NewPage) -> None:
    signed_in = new_page()
    by_keys(signed_in, site, "anna")
    expect(signed_in).to_have_url(f"{site.url}/account/")
    link = f"verification_link={site.url}/PBX0/session.xml"
    site.manage("authconfig", "set", "two_factor=on", link, "--test", "a@example.com")

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
    page.keyboard.type(PASSWORD)
    for label in ("New password", "New password again"):
        walk_to(page, page.get_by_label(label, exact=True))
        page.keyboard.type("another long password")
    press(page, page.get_by_role("button", name="Change password"))

    expect(page.get_by_text("Your password was changed.")).to_be_visible()


def test_the_settings_are_changed(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}{SETTINGS}")
    walk_to(admin, admin.get_by_role("radio", name="PBX only"))
    admin.keyboard.press("ArrowDown")
    expect(admin.get_by_role("radio", name="Netlogon only")).to_be_checked()
    admin.keyboard.press("ArrowUp")
    press(admin, admin.locator("summary", has_text="PBX domain").first)
    walk_to(admin, admin.get_by_label("PBX domain", exact=True))
    admin.keyboard.type("example.com")
    press(admin, admin.get_by_role("button", name="Save", exact=True))

    expect(admin.get_by_text("Saved:")).to_be_visible()


def test_lists_are_filtered_and_acted_on(site: Site, admin: Page) -> None:
    admin.goto(f"{site.url}/admin/usersessions/usersession/")
    press(admin, admin.get_by_role("button", name=re.compile("^Filters")))
    expect(admin.locator("#changelist-filter")).to_be_visible()
    admin.keyboard.press("Escape")
    box = admin.locator("input.action-select").first
    press(admin, box, "Space")
    expect(box).to_be_checked()


def test_the_administrators_menu_is_opened_and_leads_out(
    site: Site, admin: Page
) -> None:
    admin.set_viewport_size({"width": 1280, "height": 900})
    press(admin, admin.get_by_role("button", name=re.compile("admin@")))
    press(admin, admin.get_by_role("button", name="Log out"))

    expect(admin).to_have_url(f"{site.url}/login/")
