"""Users are imported and invited, and set their passwords; one forgets it."""

from __future__ import annotations

import re
from email.message import EmailMessage

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.conftest import NewPage
from tests.journeys.test_accessibility import Check, check
from tests.journeys.test_login import decide
from tests.support.site import ADMIN_PASSWORD, Site, link_in, log_in, look

__all__ = ["check"]  # a fixture
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
USERS = 60
LIST = "/admin/users/pbxuser/"
SETTINGS = "/admin/authconfig/authenticationsettings/"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
FIRST, SECOND = "a first long password", "a second long password"


@pytest.fixture(scope="module")
def site(site: Site) -> Site:
    site.switch_two_factor_on()
    return site


@pytest.fixture
def admin(site: Site, new_page: NewPage) -> Page:
    """The administrator's browser, in which a login was approved by e-mail."""
    page = new_page()
    enter(page, new_page(), site, "admin", ADMIN_PASSWORD)
    return page


def enter(page: Page, mailbox: Page, site: Site, name: str, password: str) -> None:
    """Log in, and approve that in the browser that reads the mails."""
    seen = len(site.mails())
    log_in(page, site, name, password)
    code = page.locator("#approval-code").inner_text()
    decide(mailbox, link_in(site.new_mail(seen)), "accept", code)
    expect(page).to_have_url(f"{site.url}/account/")


def link_for(site: Site, name: str, subject: str) -> str:
    mail = next(
        mail
        for mail in reversed(site.mails())
        if mail["To"] == f"{name}@example.com" and subject in mail["Subject"]
    )
    return link_to_set(mail)


def link_to_set(mail: EmailMessage) -> str:
    text = mail.get_body(("plain",))
    assert text
    found = re.search(r"http\S+/account/password/set/\?id=\S+", text.get_content())
    assert found
    return found[0]


def set_password(page: Page, password: str) -> None:
    for field in ("new_password1", "new_password2"):
        page.fill(f'input[name="{field}"]', password)
    page.keyboard.press("Enter")


def import_users(admin: Page, site: Site) -> None:
    rows = "".join(f"u{n},User {n},u{n}@example.com,,1\n" for n in range(USERS))
    file = f"name,long_name,email,number,active\n{rows}silent,,,,1\n".encode()
    admin.goto(f"{site.url}{LIST}import/")
    admin.set_input_files(
        "input[type=file]",
        FilePayload(name="users.csv", mimeType="text/csv", buffer=file),
    )
    admin.get_by_role("button", name="Preview").click()
    admin.get_by_role("button", name="Import these users").click()


@pytest.mark.long
def test_imported_users_are_invited_and_one_logs_in_on_a_phone(
    site: Site, admin: Page, new_page: NewPage, check: Check
) -> None:
    import_users(admin, site)
    expect(admin.get_by_text("61 active users have no PBX password.")).to_be_visible()
    look(admin, "imported")
    admin.get_by_role("link", name="Invite them").click()
    check(admin, "invite-question")
    admin.get_by_role("button", name="Invite", exact=True).click()
    done = admin.get_by_role("heading", name="All invitations were sent.")
    expect(done).to_be_visible(timeout=60_000)
    check(admin, "invitations")
    assert admin.locator(".figure").all_inner_texts() == ["60", "60", "0"]
    expect(admin.get_by_text("silent: no e-mail address")).to_be_visible()

    phone, mailbox = new_page(**PHONE), new_page(**PHONE)
    phone.goto(link_for(site, "u7", "set your password"))
    check(phone, "set-password")
    set_password(phone, "short")
    set_password(phone, FIRST)
    expect(phone.get_by_role("heading", name="Your password was set")).to_be_visible()
    check(phone, "password-set")
    enter(phone, mailbox, site, "u7", FIRST)
    expect(admin.locator(".figure").last).to_have_text("1")


@pytest.mark.long
def test_a_forgotten_password_is_replaced_and_another_session_confirms(
    site: Site, new_page: NewPage, check: Check
) -> None:
    site.add_users(["anna"])
    signed_in = new_page()
    enter(signed_in, new_page(), site, "anna", "a long user's password")
    page = new_page(locale="de-DE")
    page.goto(f"{site.url}/login/")
    page.get_by_role("link", name="Passwort vergessen?").click()
    check(page, "forgotten-de")
    seen = len(site.mails())
    page.keyboard.type("anna")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Postfach")).to_be_visible()
    check(page, "forgotten-sent-de")

    link = link_to_set(site.new_mail(seen))
    page.goto(link)
    check(page, "set-after-forgotten-de")
    set_password(page, SECOND)
    expect(page.get_by_role("heading", name="Passwort wurde gesetzt")).to_be_visible()
    page.goto(link)
    check(page, "link-over-de")
    log_in(page, site, "anna", SECOND)
    code = page.locator("#approval-code").inner_text()
    expect(page.locator("#mail-state")).to_have_count(0)

    signed_in.goto(f"{site.url}/account/")
    signed_in.fill("form.approval input[name=code]", code)
    signed_in.click("form.approval button[value=accept]")
    expect(page).to_have_url(f"{site.url}/account/")
    # That page may already be on its own way to the login.
    asked = signed_in.request.get(f"{site.url}/account/", max_redirects=0)
    assert asked.status == 302


@pytest.mark.long
def test_a_password_is_generated_and_copied(
    site: Site, admin: Page, new_page: NewPage, check: Check
) -> None:
    site.add_users(["bert"])
    admin.context.grant_permissions(["clipboard-read", "clipboard-write"])
    admin.goto(f"{site.url}{LIST}?q=bert")
    admin.locator("th a", has_text="bert").or_(
        admin.get_by_role("link", name="bert", exact=True)
    ).first.click()
    look(admin, "user")
    admin.get_by_role("link", name="Generate one").click()
    check(admin, "generate-question")
    admin.get_by_role("button", name="Make the password").click()
    check(admin, "generated")
    admin.get_by_role("button", name="Copy", exact=True).click()
    copied = admin.evaluate("navigator.clipboard.readText()")

    page = new_page()
    enter(page, new_page(), site, "bert", copied)


@pytest.mark.long
def test_another_authentication_type_changes_who_can_log_in(
    site: Site, admin: Page
) -> None:
    site.manage("pbxusers", "add", "lena", "--email=lena@example.com")
    access, settings = f"{site.url}{LIST}access/?q=lena", f"{site.url}{SETTINGS}"
    row = admin.locator("#result_list tbody tr")
    admin.goto(access)
    expect(row).to_contain_text("the PBX password is not set")

    admin.goto(settings)
    admin.get_by_role("radio", name="PBX and Netlogon").check()
    admin.locator("#id_netlogon_domain").fill("ad.example.com")
    told = admin.locator('[data-changes="authentication"]')
    expect(told).to_contain_text("cannot log in")
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(admin.get_by_text("Saved: Authentication type")).to_be_visible()

    admin.goto(access)
    expect(row).not_to_contain_text("no PBX password")
    expect(row).to_contain_text("yes")
    # All columns are seen at once, though the table may be scrolled.
    box = admin.locator(".result-box")
    assert box.evaluate("each => each.scrollWidth - each.clientWidth") == 0
