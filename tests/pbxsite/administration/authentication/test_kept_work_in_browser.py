from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support import axe
from tests.support.site import ADMIN_PASSWORD, Site, log_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
PATH = "/admin/authconfig/authenticationsettings/"


@pytest.fixture
def context(site: Site, chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context()
    context.set_default_timeout(15_000)
    log_in(context.new_page(), site, "admin", ADMIN_PASSWORD, f"/login/?next={PATH}")
    yield context
    context.close()


def open_tab(context: BrowserContext, site: Site) -> Page:
    page = context.new_page()
    page.goto(f"{site.url}{PATH}")
    return page


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()


def lose_session(context: BrowserContext) -> None:
    context.clear_cookies(name="pbx_session")


@pytest.mark.long
def test_two_tabs_merge_and_ask_where_they_differ(
    context: BrowserContext, site: Site
) -> None:
    mine, theirs = open_tab(context, site), open_tab(context, site)
    theirs.get_by_label("Sender name").fill("Theirs")
    theirs.get_by_label("Client host name").fill("their.example")
    save(theirs)
    expect(theirs.get_by_text("Saved: ")).to_be_visible()

    mine.get_by_label("Sender name").fill("Mine")
    save(mine)

    row = mine.locator('[data-field="smtp_sender_name"]')
    expect(row).to_contain_text("Changed by admin on")
    expect(mine.get_by_label("Client host name")).to_have_value("their.example")
    assert axe.faults(mine) == []
    row.get_by_label("Theirs").check()
    expect(mine.locator("#id_smtp_sender_name")).to_have_value("Theirs")
    row.get_by_label("Mine").check()
    expect(mine.locator("#id_smtp_sender_name")).to_have_value("Mine")
    row.get_by_label("Theirs").check()
    mine.locator("#id_smtp_sender_name").fill("Both")
    expect(row.get_by_label("Mine Both")).to_be_checked()
    save(mine)
    expect(mine.get_by_text("Saved: Sender name")).to_be_visible()
    expect(mine.locator("#id_smtp_sender_name")).to_have_value("Both")


@pytest.mark.long
def test_a_test_takes_what_another_tab_has_saved(
    context: BrowserContext, site: Site
) -> None:
    mine, theirs = open_tab(context, site), open_tab(context, site)
    theirs.get_by_label("Sender name").fill("Of the other tab")
    save(theirs)
    expect(theirs.get_by_text("Saved: ")).to_be_visible()
    seen = len(site.mails())

    mine.get_by_role("button", name="Send test", exact=True).click()

    assert "Of the other tab" in str(site.new_mail(seen)["From"])
    expect(mine.get_by_label("Sender name")).to_have_value("Of the other tab")
    expect(mine.locator("#others")).to_contain_text("it stands here by now: Sender")
    expect(mine.locator("#unsaved")).to_be_hidden()


@pytest.mark.long
def test_restore_fills_in_what_it_was_beside_other_changes(
    context: BrowserContext, site: Site
) -> None:
    page = open_tab(context, site)
    for name in ("Oldest", "Before"):
        page.get_by_label("Sender name").fill(name)
        save(page)
    page.get_by_label("Sender name").fill("After")
    save(page)
    expect(page.get_by_text("Saved: Sender name")).to_be_visible()
    page.get_by_label("Client host name").fill("other.example")

    page.get_by_text("Older values (Sender name)").click()
    page.get_by_role("link", name="Restore (Sender name: Oldest)").click()
    expect(page.get_by_label("Sender name")).to_have_value("Oldest")
    page.get_by_role("link", name="Restore (Sender name: Before)").click()

    expect(page.get_by_label("Sender name")).to_have_value("Before")
    expect(page.get_by_label("Sender name")).to_be_focused()
    expect(page.locator("#unsaved")).to_contain_text("Client host name, Sender name")
    save(page)
    expect(page.get_by_label("Sender name")).to_have_value("Before")
    expect(page.locator("#unsaved")).to_be_hidden()


@pytest.mark.long
def test_restore_switches_back(context: BrowserContext, site: Site) -> None:
    page = open_tab(context, site)
    row = page.locator('[data-field="password_changes_forbidden"]')
    page.locator('[data-fold="authentication"] > summary').click()
    row.get_by_role("switch").check()
    save(page)
    expect(page.get_by_text("Saved: ")).to_be_visible()

    row.get_by_role("link", name="Restore").click()

    expect(row.get_by_role("switch")).not_to_be_checked()


def test_lost_session_on_save_keeps_what_was_entered(
    context: BrowserContext, site: Site
) -> None:
    page = open_tab(context, site)
    page.get_by_label("Sender name").fill("Over the login")
    expect(page.locator("#unsaved")).to_be_visible()
    lose_session(context)

    save(page)
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password", exact=True).fill(ADMIN_PASSWORD)
    page.get_by_role("button", name="Log in").click()

    expect(page.get_by_text("You were no longer logged in")).to_be_visible()
    expect(page.get_by_label("Sender name")).to_have_value("Over the login")
    expect(page.locator("#unsaved")).to_contain_text("Sender name")
    save(page)
    expect(page.get_by_text("Saved: Sender name")).to_be_visible()


@pytest.mark.long
def test_lost_session_is_told_by_preview_and_test_and_mended_in_another_tab(
    context: BrowserContext, site: Site
) -> None:
    page = open_tab(context, site)
    lose_session(context)

    page.get_by_role("button", name="Send test", exact=True).click()

    expect(page.locator("#send-test .test")).to_contain_text("no longer logged in")
    page.get_by_label("Sender name").fill("Kept here")
    link = page.get_by_role("link", name="Log in in another tab")
    expect(link).to_be_visible()
    with context.expect_page() as opened:
        link.click()
    tab = opened.value
    tab.get_by_label("User name").fill("admin")
    tab.get_by_label("Password", exact=True).fill(ADMIN_PASSWORD)
    tab.get_by_role("button", name="Log in").click()
    expect(tab.get_by_label("Sender name")).to_be_visible()
    page.bring_to_front()
    page.get_by_label("Sender name").fill("Kept there")
    expect(page.locator("#unsaved")).to_contain_text("Sender name")
    expect(page.locator("#logged-out")).to_be_hidden()
    save(page)
    expect(page.get_by_text("Saved: Sender name")).to_be_visible()


def test_second_click_while_the_first_is_saved_is_ignored(
    context: BrowserContext, site: Site
) -> None:
    page = open_tab(context, site)
    # Nothing is sent: while the browser waits for an answer, no test can click.
    page.evaluate(
        """() => {
            window.ignored = [];
            document.addEventListener("submit", (event) => {
                window.ignored.push(event.defaultPrevented);
                event.preventDefault();
            });
        }"""
    )

    page.get_by_role("button", name="Save", exact=True).dblclick()

    assert page.evaluate("window.ignored") == [False, True]
