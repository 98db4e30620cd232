"""Signed-in browsers of one user beside each other, in real Chromium profiles."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import NewPage
from tests.support.site import (
    USER_PASSWORD,
    Site,
    log_in,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
FORM = "form.approval"


@pytest.fixture(scope="module")
def site(site: Site) -> Site:
    names = ("anna", "bert", "carl", "dora", "emil", "fred", "gabi", "hans")
    site.add_users(names, "--admin")
    return site


@pytest.fixture
def signed_in(site: Site, new_page: NewPage) -> Callable[..., Page]:
    """Open a page that is signed in already when two-factor is switched on."""
    site.manage("authconfig", "set", "two_factor=off")

    def open_page(name: str, path: str = "/account/", **options: bool) -> Page:
        page = new_page(**options)
        log_in(page, site, name, USER_PASSWORD, f"/login/?next={path}")
        expect(page).to_have_url(f"{site.url}{path}")
        return page

    return open_page


@pytest.fixture
def waits(site: Site, new_page: NewPage) -> Callable[[str], tuple[Page, str]]:
    """Begin a login that waits; return its page and code."""

    def begin(name: str) -> tuple[Page, str]:
        site.switch_two_factor_on()
        page = new_page()
        log_in(page, site, name, USER_PASSWORD)
        return page, page.locator("#approval-code").inner_text()

    return begin


@pytest.mark.long
def test_every_signed_in_page_shows_the_login_and_its_end(
    site: Site,
    signed_in: Callable[..., Page],
    waits: Callable[[str], tuple[Page, str]],
) -> None:
    account, admin = signed_in("anna"), signed_in("anna", "/admin/")
    third = signed_in("anna", "/admin/users/pbxuser/")
    mypbx = signed_in("anna", "/account/")
    log_in(mypbx, site, "anna", USER_PASSWORD, "/mypbx/login/")
    waiting, code = waits("anna")

    for page in (account, admin, third):
        form = page.locator(FORM)
        expect(form).to_have_count(1, timeout=1000)
        expect(form).to_contain_text("Chrome on Linux")
        expect(form).to_contain_text("127.0.0.1")
        expect(page).to_have_title(re.compile(r"^\(1\) "))
    expect(mypbx.locator(FORM)).to_have_count(0)

    third.get_by_text("Make small").click()
    third.reload()
    expect(third.get_by_role("button", name="Reject")).to_be_hidden()
    expect(third.get_by_text("Is this you logging in?")).to_be_visible()

    admin.locator(".approval-accept > summary").click()
    admin.fill(f"{FORM} input[name=code]", code)
    admin.click(f"{FORM} button[value=accept]")

    expect(admin.get_by_text("You accepted the login")).to_be_visible()
    assert admin.url == f"{site.url}/admin/"
    for page in (account, third):
        expect(page.locator(FORM)).to_have_count(0, timeout=1000)
        expect(page).not_to_have_title(re.compile(r"^\(1\) "))
    expect(waiting).to_have_url(f"{site.url}/account/")


@pytest.mark.long
def test_it_is_not_me_needs_no_code_and_says_what_to_do(
    site: Site,
    signed_in: Callable[..., Page],
    waits: Callable[[str], tuple[Page, str]],
) -> None:
    account, admin = signed_in("bert"), signed_in("bert", "/admin/")
    waiting, _code = waits("bert")

    admin.get_by_role("button", name="Reject").click()
    admin.get_by_role("link", name="What to do now").click()

    expect(admin).to_have_url(f"{site.url}/account/rejected/")
    expect(account.locator(FORM)).to_have_count(0, timeout=1000)
    expect(waiting.get_by_role("heading", name="rejected")).to_be_visible()


def test_account_security_decides_with_an_ordinary_form(
    site: Site,
    signed_in: Callable[..., Page],
    waits: Callable[[str], tuple[Page, str]],
) -> None:
    account = signed_in("carl")
    waiting, code = waits("carl")
    wrong = f"{(int(code) + 1) % 10_000:04d}"

    account.fill(f"{FORM} input[name=code]", wrong)
    account.press(f"{FORM} input[name=code]", "Enter")
    expect(account.get_by_text("2 tries are left")).to_be_visible()
    account.fill(f"{FORM} input[name=code]", code)
    account.click(f"{FORM} button[value=accept]")

    expect(account).to_have_url(f"{site.url}/account/")
    expect(waiting).to_have_url(f"{site.url}/account/")


@pytest.mark.long
def test_without_scripts_each_page_shows_it_and_leads_back(
    site: Site,
    signed_in: Callable[..., Page],
    waits: Callable[[str], tuple[Page, str]],
) -> None:
    path = "/admin/users/pbxuser/"
    admin = signed_in("dora", path, java_script_enabled=False)
    waiting, code = waits("dora")
    expect(admin.locator(FORM)).to_have_count(0)

    admin.reload()
    admin.locator(".approval-accept > summary").click()
    admin.fill(f"{FORM} input[name=code]", code)
    admin.click(f"{FORM} button[value=accept]")

    expect(admin).to_have_url(f"{site.url}{path}")
    expect(waiting).to_have_url(f"{site.url}/account/")


def test_an_ended_sessions_pages_go_to_the_login_by_themselves(
    site: Site, signed_in: Callable[..., Page]
) -> None:
    account, admin = signed_in("emil"), signed_in("emil", "/admin/users/pbxuser/")
    own = signed_in("emil")

    own.get_by_role("button", name="End all others").click()
    ended_at = time.monotonic()

    expect(account).to_have_url(re.compile("/login/"), timeout=2000)
    expect(admin).to_have_url(re.compile("/login/"), timeout=2000)
    assert time.monotonic() - ended_at < 2
    expect(own).to_have_url(f"{site.url}/account/")


@pytest.mark.long
def test_an_administrator_ends_a_session_from_the_list(
    site: Site, signed_in: Callable[..., Page]
) -> None:
    account = signed_in("gabi")
    admin = signed_in("hans", "/admin/usersessions/usersession/")

    admin.get_by_role("row", name="gabi").get_by_role("checkbox").check()
    admin.locator('select[name="action"]').select_option("end_selected")
    admin.get_by_role("button", name="Run").click()
    expect(admin.get_by_text("End these sessions?").first).to_be_visible()
    expect(account).to_have_url(f"{site.url}/account/")
    admin.get_by_role("button", name="End the sessions").click()

    expect(account).to_have_url(re.compile("/login/"), timeout=2000)
    expect(admin.get_by_text("1 session ended.")).to_be_visible()


@pytest.mark.long
def test_a_page_that_lost_the_network_shows_the_login_afterwards(
    site: Site,
    signed_in: Callable[..., Page],
    waits: Callable[[str], tuple[Page, str]],
) -> None:
    account = signed_in("fred")
    account.context.set_offline(True)
    waits("fred")
    expect(account.locator(FORM)).to_have_count(0)

    account.context.set_offline(False)

    expect(account.locator(FORM)).to_have_count(1)
