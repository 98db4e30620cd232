"""The waiting page through what browsers and networks do to it."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    expect,
)

from tests.support.site import (
    USER_PASSWORD,
    Site,
    launch,
    link_in,
    log_in,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
NAMES = ("anna", "bert", "carl", "dora", "emil", "fred", "gabi", "hans", "ines")


@pytest.fixture(scope="module")
def site(site: Site) -> Site:
    site.add_users(NAMES)
    site.switch_two_factor_on()
    return site


@pytest.fixture(scope="module")
def elsewhere(playwright: Playwright) -> Iterator[Browser]:
    """A browser on another machine, as it were."""
    with launch(playwright) as browser:
        yield browser


@contextmanager
def asleep(browser: Browser) -> Iterator[None]:
    """Stop every process of the browser, as a closed lid does."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
    processes = [int(process["id"]) for process in found["processInfo"]]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    with chromium.new_context() as opened:
        opened.set_default_timeout(10_000)
        yield opened


class Held:
    def __init__(self, site: Site, context: BrowserContext, name: str) -> None:
        seen = len(site.mails())
        self.page = context.new_page()
        log_in(self.page, site, name, USER_PASSWORD)
        self.code = self.page.locator("#approval-code").inner_text()
        self.link = link_in(site.new_mail(seen))


@pytest.fixture
def hold(site: Site, context: BrowserContext) -> Callable[[str], Held]:
    return lambda name: Held(site, context, name)


@pytest.fixture
def accept(elsewhere: Browser) -> Callable[[Held], None]:
    """Accept by the e-mail, in another browser."""

    def decide(held: Held) -> None:
        with elsewhere.new_context() as other:
            page = other.new_page()
            page.goto(held.link)
            page.fill('input[name="code"]', held.code)
            page.click('button[value="accept"]')
            expect(page.get_by_role("heading", name="accepted")).to_be_visible()

    return decide


def test_a_reload_and_a_second_tab_show_the_same_digits(
    site: Site, context: BrowserContext, hold: Callable[[str], Held]
) -> None:
    held = hold("anna")

    held.page.reload()
    expect(held.page.locator("#approval-code")).to_have_text(held.code)
    tab = context.new_page()
    tab.goto(f"{site.url}/login/waiting/")
    expect(tab.locator("#approval-code")).to_have_text(held.code)


def test_the_countdown_runs(hold: Callable[[str], Held]) -> None:
    page = hold("bert").page
    shown = page.locator("#countdown")
    expect(shown).to_have_text(re.compile(r"Expires in 9:5\d minutes"))

    before = shown.inner_text()
    expect(shown).not_to_have_text(before)
    expect(page.locator("#send-again button")).to_have_text(
        re.compile(r"Send again \(\d+\)")
    )
    expect(page.locator("#send-again button")).to_be_disabled()


@pytest.mark.long
def test_a_lost_network_delays_the_news_alone(
    site: Site, hold: Callable[[str], Held], accept: Callable[[Held], None]
) -> None:
    held = hold("carl")
    held.page.context.set_offline(True)
    accept(held)
    held.page.wait_for_timeout(1500)
    expect(held.page.locator("#approval-code")).to_be_visible()

    held.page.context.set_offline(False)

    expect(held.page).to_have_url(f"{site.url}/account/")


def test_a_page_that_slept_wakes_up_to_the_news(
    site: Site,
    chromium: Browser,
    hold: Callable[[str], Held],
    accept: Callable[[Held], None],
) -> None:
    held = hold("dora")

    with asleep(chromium):
        accept(held)
        held.page.wait_for_timeout(1500)
        assert held.page.url == f"{site.url}/login/waiting/"

    expect(held.page).to_have_url(f"{site.url}/account/")


@pytest.mark.long
def test_a_proxy_that_holds_streams_back_delays_the_news_by_seconds(
    site: Site,
    context: BrowserContext,
    hold: Callable[[str], Held],
    accept: Callable[[Held], None],
) -> None:
    context.route("**/events/", lambda route: route.abort())
    held = hold("emil")

    accept(held)

    expect(held.page).to_have_url(f"{site.url}/account/")


def test_the_back_button_leads_to_no_digits(
    site: Site, hold: Callable[[str], Held], accept: Callable[[Held], None]
) -> None:
    held = hold("fred")
    accept(held)
    expect(held.page).to_have_url(f"{site.url}/account/")

    held.page.go_back()

    expect(held.page).to_have_url(f"{site.url}/account/")
    assert held.code not in held.page.content()


def test_cancelling_is_said_and_ends_the_other_tab(
    site: Site, context: BrowserContext, hold: Callable[[str], Held]
) -> None:
    held = hold("gabi")
    tab: Page = context.new_page()
    tab.goto(f"{site.url}/login/waiting/")

    held.page.get_by_role("button", name="Cancel this login").click()

    expect(held.page.get_by_text("The login was cancelled")).to_be_visible()
    expect(tab.locator("#approval-code")).to_have_count(0)
    # The other tab may still be on its way to another page.
    response = context.new_page().goto(held.link)
    assert response
    assert response.status == 410


def test_who_cannot_read_the_mail_is_told_what_to_do(
    hold: Callable[[str], Held],
) -> None:
    page = hold("hans").page

    page.get_by_text("You cannot get at this mailbox?").click()

    expect(page.get_by_text("only the administrator")).to_be_visible()


@pytest.mark.long
def test_a_page_whose_session_ended_leads_to_a_login_page_that_says_so(
    site: Site, chromium: Browser, hold: Callable[[str], Held]
) -> None:
    page = hold("ines").page

    with asleep(chromium):
        # A visitor's session ends after an hour, and the cookie with it.
        site.manage(
            "shell",
            "-c",
            "from django.contrib.sessions.models import Session;"
            "Session.objects.all().delete()",
        )
    page.context.set_offline(True)
    page.context.set_offline(False)

    expect(page.get_by_text("No login is waiting in this browser")).to_be_visible()
    expect(page).to_have_url(f"{site.url}/login/")
