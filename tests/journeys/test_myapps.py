"""myApps clients and browsers, each of which logs the other in."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import NewPage
from tests.support import axe
from tests.support.myapps.client import Client, LoginError
from tests.support.provider import Provider
from tests.support.site import (
    ADMIN_PASSWORD,
    USER_PASSWORD,
    Site,
    link_in,
    log_in,
    look,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
AGENT = "myApps (Windows)"


@pytest.fixture(scope="module")
def site(site: Site, provider: Provider) -> Site:
    values = provider.settings(authentication_type="pbx_and_oauth2")
    words = [f"{key}={value}" for key, value in values.items()]
    site.manage("authconfig", "set", *words, "myapps_digest_logins=on")
    site.add_users(["anna", "bert"])
    return site


def check(page: Page, name: str) -> None:
    page.wait_for_load_state()
    look(page, name)
    assert axe.faults(page) == []


def accept_by_mail(site: Site, page: Page, seen: int, code: int) -> None:
    page.goto(link_in(site.new_mail(seen)))
    check(page, "myapps-link")
    page.fill('input[name="code"]', str(code))
    page.click('button[value="accept"]')
    expect(page.get_by_role("heading", name="accepted")).to_be_visible()


@pytest.mark.long
def test_a_client_is_logged_in_by_a_browser_and_its_digits_by_the_mail(
    site: Site, new_page: NewPage
) -> None:
    site.switch_two_factor_on()
    page, seen = new_page(), len(site.mails())
    with Client(site.url, user_agent=AGENT) as client:
        login = client.begin_oauth2()
        page.goto(login.url)
        check(page, "myapps-confirm")
        page.click("#myapps-confirm button")
        page.fill('input[name="login"]', "1")
        page.fill('input[name="password"]', "any")
        page.click('button[type="submit"]')
        expect(page.get_by_text("You can go back to your application")).to_be_visible()
        check(page, "myapps-back")

        accept_by_mail(site, new_page(), seen, client.expect_code())
        done = client.expect_logged_in(login)
        assert done.user["sip"] == "anna"
        page.goto(login.url)
        expect(page.get_by_text("This login no longer waits")).to_be_visible()
        check(page, "myapps-gone")

    assert done.session
    with Client(site.url, user_agent=AGENT) as client:
        client.resume(done.session)
        admin = new_page()
        site.manage("authconfig", "set", "two_factor=off")
        log_in(admin, site, "admin", ADMIN_PASSWORD)
        admin.goto(f"{site.url}/admin/usersessions/usersession/")
        expect(admin.get_by_text(f"myApps client “{AGENT}”").first).to_be_visible()
        check(admin, "myapps-admin")
        admin.goto(f"{site.url}/admin/authconfig/authenticationsettings/")
        expect(admin.get_by_text("users have a kept password")).to_be_visible()
        check(admin, "myapps-settings")


def test_who_cancels_logs_nobody_in(site: Site, new_page: NewPage) -> None:
    page = new_page()
    with Client(site.url, user_agent=AGENT) as client:
        login = client.begin_oauth2()
        page.goto(login.url)
        page.click("#myapps-refuse button")
        expect(page.get_by_text("Nobody has been logged in")).to_be_visible()
        check(page, "myapps-refused")

        with pytest.raises(LoginError):
            client.expect_logged_in(login)


@pytest.mark.long
@pytest.mark.parametrize("compares", ["on", "off"])
def test_a_browser_is_let_in_by_a_client_if_comparing_is_allowed(
    site: Site, new_page: NewPage, compares: str
) -> None:
    site.manage("authconfig", "set", "two_factor=off")
    first = new_page()
    # The page keeps the password of whoever logs in there.
    log_in(first, site, "bert", USER_PASSWORD)
    expect(first).to_have_url(f"{site.url}/account/")
    with Client(site.url, user_agent=AGENT) as client:
        client.log_in("bert", USER_PASSWORD)
        assert client.expect("SessionAdded")
        first.reload()
        expect(first.get_by_text(f"myApps client “{AGENT}”").first).to_be_visible()
        check(first, "myapps-account")
        site.switch_two_factor_on()
        site.manage("authconfig", "set", f"myapps_approve_by_comparing={compares}")

        page = new_page()
        log_in(page, site, "bert", USER_PASSWORD)
        code = page.locator("#approval-code").inner_text()
        while not (asked := client.expect("SessionAdded"))["info"][
            "needsAuthorization"
        ]:
            pass
        client.send("AuthorizeSession", id=asked["id"])
        if compares == "on":
            assert asked["info"]["code"] == int(code)
            expect(page).to_have_url(f"{site.url}/account/")
        else:
            assert "code" not in asked["info"]
            client.send("DeleteSession", id=asked["id"])
            expect(page.get_by_text("rejected").first).to_be_visible()
