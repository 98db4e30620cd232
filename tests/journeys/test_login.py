"""The whole road in real browsers, against the site as `make run` runs it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import NewPage
from tests.support.site import (
    ADMIN_PASSWORD,
    USER_PASSWORD,
    Site,
    link_in,
    log_in,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def site(site: Site) -> Site:
    site.add_users(("anna", "bert", "carl", "dora", "emil", "fred", "gabi", "hans"))
    return site


@pytest.fixture
def two_factor(site: Site) -> None:
    site.switch_two_factor_on()


@pytest.fixture
def held(site: Site, two_factor: None, new_page: NewPage) -> Callable[[str], Held]:
    def hold(name: str, **options: bool) -> Held:
        seen = len(site.mails())
        page = new_page(**options)
        log_in(page, site, name, USER_PASSWORD)
        expect(page.locator("#approval-code")).to_be_visible()
        code = page.locator("#approval-code").inner_text()
        return Held(page, code, link_in(site.new_mail(seen)))

    return hold


class Held:
    def __init__(self, page: Page, code: str, link: str) -> None:
        self.page, self.code, self.link = page, code, link

    @property
    def wrong_code(self) -> str:
        return f"{(int(self.code) + 1) % 10_000:04d}"


def decide(page: Page, link: str, decision: str, code: str = "") -> None:
    page.goto(link)
    if code:
        page.fill('input[name="code"]', code)
    page.click(f'button[value="{decision}"]')


def test_an_administrator_switches_it_on_and_a_user_logs_in_with_it(
    site: Site, new_page: NewPage
) -> None:
    admin = new_page()
    log_in(admin, site, "admin", ADMIN_PASSWORD, "/login/?next=/admin/")
    admin.goto(f"{site.url}/admin/authconfig/authenticationsettings/")
    admin.fill('input[name="verification_link"]', f"{site.url}/PBX0/session.xml")
    seen = len(site.mails())
    admin.get_by_label("Test", exact=True).fill("admin@example.com")
    admin.get_by_role("button", name="Send test", exact=True).click()
    expect(admin.get_by_text("The server accepted the test e-mail")).to_be_visible()
    assert site.new_mail(seen)["To"] == "admin@example.com"
    admin.get_by_label("Two-factor authentication", exact=True).check()
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(admin.get_by_text("Saved:")).to_be_visible()

    waiting = new_page()
    seen = len(site.mails())
    log_in(waiting, site, "anna", USER_PASSWORD)
    code = waiting.locator("#approval-code").inner_text()
    other = new_page()
    decide(other, link_in(site.new_mail(seen)), "accept", code)

    expect(waiting).to_have_url(f"{site.url}/account/")
    expect(waiting.get_by_role("heading", name="Account security")).to_be_visible()
    other.goto(f"{site.url}/account/")
    expect(other).to_have_url(f"{site.url}/login/?next=/account/")


def test_a_rejected_login_says_so_by_itself(
    held: Callable[[str], Held], new_page: NewPage
) -> None:
    login = held("bert")

    decide(new_page(), login.link, "reject")

    expect(login.page.locator("#approval-code")).to_have_count(0)
    expect(login.page.get_by_role("heading", name="rejected")).to_be_visible()
    assert login.page.locator("#continue").count() == 0


@pytest.mark.long
def test_a_link_works_once(held: Callable[[str], Held], new_page: NewPage) -> None:
    login = held("carl")
    other = new_page()
    decide(other, login.link, "accept", login.code)

    response = other.goto(login.link)

    assert response
    assert response.status == 410


@pytest.mark.long
def test_one_wrong_code_leaves_the_link_working(
    held: Callable[[str], Held], new_page: NewPage, site: Site
) -> None:
    login = held("dora")
    other = new_page()
    decide(other, login.link, "accept", login.wrong_code)
    expect(other.get_by_text("2 tries are left")).to_be_visible()

    other.fill('input[name="code"]', login.code)
    other.click('button[value="accept"]')

    expect(login.page).to_have_url(f"{site.url}/account/")


@pytest.mark.long
def test_three_wrong_codes_end_the_login(
    held: Callable[[str], Held], new_page: NewPage
) -> None:
    login = held("emil")
    other = new_page()
    for _ in range(3):
        decide(other, login.link, "accept", login.wrong_code)

    response = other.goto(login.link)

    assert response
    assert response.status == 410
    expect(login.page.locator("#approval-code")).to_have_count(0)


def test_without_scripts_the_page_refreshes_itself_and_offers_to_continue(
    held: Callable[..., Held], new_page: NewPage, site: Site
) -> None:
    login = held("fred", java_script_enabled=False)
    decide(new_page(java_script_enabled=False), login.link, "accept", login.code)

    expect(login.page.locator("#continue")).to_be_visible()
    login.page.locator("#continue button").click()

    expect(login.page).to_have_url(f"{site.url}/account/")


@pytest.mark.long
def test_a_browser_that_runs_scripts_on_the_link_changes_nothing(
    held: Callable[[str], Held], new_page: NewPage
) -> None:
    login = held("gabi")
    scanner = new_page()

    scanner.goto(login.link)
    scanner.wait_for_timeout(1500)

    expect(login.page.locator("#approval-code")).to_have_text(login.code)
    decide(new_page(), login.link, "accept", login.code)
    expect(login.page.get_by_role("heading", name="Account security")).to_be_visible()


@pytest.mark.long
def test_an_expired_login_says_so_on_both_sides(
    held: Callable[[str], Held], new_page: NewPage, site: Site
) -> None:
    login = held("hans")
    site.manage(
        "shell",
        "--command",
        "from django.utils import timezone;"
        "LoginSession.objects.filter(user__name='hans')"
        ".update(expires_at=timezone.now())",
    )

    response = new_page().goto(login.link)

    assert response
    assert response.status == 410
    expect(login.page.get_by_role("heading", name="expired")).to_be_visible()
    assert login.page.locator("#continue").count() == 0
