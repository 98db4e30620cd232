from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.directory import (
    BASE,
    DOMAIN,
    SERVICE,
    SERVICE_PASSWORD,
    WINDOWS_PASSWORD,
    Directory,
)
from tests.support.provider import Provider
from tests.support.site import (
    ADMIN_PASSWORD,
    Site,
    log_in,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
PATH = "/admin/authconfig/authenticationsettings/"

# A button of icons alone has no other name.
HEARD_BESIDE_WORDS = """() => {
  const text = (part) => part.textContent.replaceAll(/\\s/g, "");
  const icons = ".material-symbols-outlined";
  const alone = (control) =>
    [...control.querySelectorAll(icons)].map(text).join("") === text(control);
  return [...document.querySelectorAll(`${icons}:not([aria-hidden], [role])`)]
    .map((icon) => icon.closest("a, button, [role=button]") ?? document.body)
    .filter((control) => !alone(control))
    .map((control) => control.outerHTML.slice(0, 200));
}"""


@pytest.fixture(scope="module")
def state(site: Site, chromium: Browser) -> Iterator[object]:
    """The administrator's cookies, so that he logs in once."""
    context = chromium.new_context()
    log_in(context.new_page(), site, "admin", ADMIN_PASSWORD, f"/login/?next={PATH}")
    yield context.storage_state()
    context.close()


@pytest.fixture
def page(site: Site, chromium: Browser, state: object) -> Iterator[Page]:
    context = chromium.new_context(storage_state=state)  # type: ignore[arg-type]
    context.set_default_timeout(15_000)
    faults: list[str] = []
    opened = context.new_page()
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(f"{site.url}{PATH}")
    yield opened
    context.close()
    assert faults == []


def choose(page: Page, kind: str) -> None:
    page.get_by_role("radio", name=kind).check()


def test_screen_readers_hear_no_icon_and_find_the_page(page: Page) -> None:
    expect(page.get_by_role("main")).to_have_count(1)
    expect(page.locator(".material-symbols-outlined").first).to_be_attached()
    assert page.evaluate(HEARD_BESIDE_WORDS) == []


def test_choice_of_a_type_unfolds_what_it_uses_and_says_what_changes(
    page: Page,
) -> None:
    client_id = page.locator("#id_oauth2_client_id")
    expect(client_id).to_be_hidden()

    choose(page, "PBX and OAuth2")

    expect(client_id).to_be_visible()
    expect(page.get_by_label("OAuth2 provider name")).to_be_visible()
    expect(page.locator('[data-changes="authentication"]')).to_contain_text(
        "myApps users can log in with OAuth2."
    )
    expect(page.locator("#unsaved")).to_contain_text("Authentication type")

    choose(page, "PBX only")
    expect(client_id).to_be_hidden()
    expect(page.locator("#unsaved")).to_be_hidden()


def test_type_that_would_lock_out_is_told_before_saving(page: Page) -> None:
    choose(page, "OAuth2 only")
    page.get_by_label("OAuth2 provider name").fill("Windows")
    page.get_by_label("OpenID well-known").fill("https://idp.example/.well-known/x")
    page.locator("#id_oauth2_client_id").fill("pbx")

    hint = page.locator('[data-field="authentication_type"] .refusal')
    expect(hint).to_contain_text("You have not logged in with")


def test_accepted_test_shows_each_stage_and_fulfils_the_condition(
    page: Page, site: Site
) -> None:
    seen = len(site.mails())
    page.get_by_role("textbox", name="Test").fill("somebody@example.com")
    page.get_by_role("textbox", name="Test").press("Enter")

    expect(page.locator("#send-test .test")).to_contain_text(
        "The server accepted the test e-mail to somebody@example.com."
    )
    expect(page.locator(".step")).to_have_count(8)
    expect(page.locator(".step").last).to_contain_text("250")
    expect(page.locator("[data-condition]").first).to_have_class(
        "condition condition-met"
    )
    assert site.new_mail(seen)["To"] == "somebody@example.com"


def test_failed_test_shows_the_stage_and_a_remedy(page: Page) -> None:
    page.get_by_label("SMTP server").fill("nobody.invalid")
    page.get_by_role("button", name="Send test", exact=True).click()

    expect(page.locator("#send-test .test")).to_contain_text(
        "The test e-mail was not sent."
    )
    expect(page.locator('.step[data-state="failed"]')).to_have_count(1)
    expect(page.locator("#send-test [data-test-text]")).to_contain_text(
        "nobody.invalid"
    )


def test_a_server_elsewhere_visibly_gets_starttls_and_no_port(page: Page) -> None:
    server, port = (
        page.get_by_label("SMTP server"),
        page.get_by_label("Port", exact=True),
    )
    mailbox, mailbox_port = server.input_value(), port.input_value()
    security = page.locator("#id_smtp_security")
    note = page.locator("#left-this-machine")
    expect(security).to_have_value("none")

    server.fill("mail.example.com")

    expect(note).to_contain_text("security under “More” is STARTTLS")
    expect(security).to_be_visible()
    expect(security).to_have_value("starttls")
    expect(port).to_have_value("")

    server.fill(mailbox)
    expect(note).to_be_hidden()
    expect(port).to_have_value(mailbox_port)


def test_faults_of_the_account_are_shown_at_their_fields(page: Page) -> None:
    page.get_by_label("SMTP server").fill("")
    page.get_by_role("button", name="Send test", exact=True).click()

    fault = page.locator('[data-field="smtp_server"] .fault')
    expect(fault).to_have_text("Enter the SMTP server first.")
    expect(page.get_by_label("SMTP server")).to_be_focused()
    page.get_by_label("SMTP server").fill("mail.example.com")
    expect(fault).to_have_count(0)


def test_an_open_page_follows_the_device_to_dark_and_back(page: Page) -> None:
    for scheme, name in (("dark", "dark"), ("light", "")):
        page.emulate_media(color_scheme=scheme)
        expect(page.locator("html")).to_have_class(name)


def test_refused_form_has_its_faults_in_focus(page: Page) -> None:
    page.get_by_label("SMTP server").fill("no host")
    page.get_by_role("button", name="Save").click()

    expect(page.locator("#faults")).to_be_focused()
    page.locator("#faults a").click()
    expect(page.get_by_label("SMTP server")).to_be_focused()


def test_unsaved_changes_are_not_lost_by_leaving(page: Page) -> None:
    page.get_by_label("Sender name").fill("Telephone")
    asked: list[str] = []

    def stay(dialog: object) -> None:
        asked.append(dialog.type)  # type: ignore[attr-defined]
        dialog.dismiss()  # type: ignore[attr-defined]

    page.on("dialog", stay)
    page.get_by_role("link", name="PBX users").first.click(no_wait_after=True)

    page.wait_for_timeout(500)
    assert asked == ["beforeunload"]
    expect(page.get_by_label("Sender name")).to_have_value("Telephone")


def test_switch_says_what_it_changes(page: Page) -> None:
    page.get_by_role("switch", name="Two-factor authentication").check()

    expect(page.locator('[data-changes="authentication"]')).to_contain_text(
        "Each login to myApps has to be approved"
    )


def test_saving_asks_nothing_and_says_what_was_saved(page: Page) -> None:
    page.get_by_label("Sender name").fill("Telephone system")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_text("Saved: Sender name")).to_be_visible()


def test_page_works_without_scripts(
    site: Site, chromium: Browser, state: object
) -> None:
    context = chromium.new_context(
        storage_state=state,  # type: ignore[arg-type]
        java_script_enabled=False,
    )
    page = context.new_page()
    page.goto(f"{site.url}{PATH}")
    page.get_by_label("Sender name").fill("No scripts")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_text("Saved: Sender name")).to_be_visible()
    context.close()


def test_netlogon_is_tested_with_unsaved_values(
    page: Page, directory: Directory
) -> None:
    choose(page, "PBX and Netlogon")
    card = page.locator("#section-netlogon")
    card.get_by_label("Windows domain").fill(DOMAIN)
    card.get_by_label("Domain controllers").fill(f"localhost:{directory.tls_port}")
    card.get_by_label("CA certificate").fill(directory.ca_pem)
    card.locator("#id_netlogon_base_dn").fill(BASE)
    card.get_by_label("Service account", exact=True).fill(SERVICE)
    card.get_by_label("Service account password").fill(SERVICE_PASSWORD)
    card.locator("#test-user").fill("anna")
    card.get_by_label("Windows password").fill(WINDOWS_PASSWORD)

    card.get_by_role("button", name="Test Netlogon").click()

    expect(card.locator(".test")).to_contain_text("The directory accepts anna.")
    expect(card.locator('.step[data-state="done"]')).to_have_count(6)


@pytest.mark.long
def test_oauth2_is_tested_with_unsaved_values(page: Page, provider: Provider) -> None:
    choose(page, "PBX and OAuth2")
    card = page.locator("#section-oauth2")
    card.get_by_label("OpenID well-known").fill(provider.well_known_url)

    card.get_by_role("button", name="Test OAuth2").click()

    expect(card.locator(".test")).to_contain_text(
        "The provider's configuration is right."
    )
    expect(card.locator('.step[data-state="done"]')).to_have_count(5)


def test_switching_two_factor_on_ends_sessions_that_nobody_approved(
    page: Page, site: Site, chromium: Browser
) -> None:
    site.manage("pbxusers", "add", "eve", "--password-stdin", stdin=ADMIN_PASSWORD)
    other = chromium.new_page()
    log_in(other, site, "eve", ADMIN_PASSWORD)
    expect(other).to_have_url(f"{site.url}/account/")
    page.reload()
    page.get_by_role("button", name="Send test", exact=True).click()
    expect(page.locator("#send-test .test")).to_contain_text("The server accepted")
    page.get_by_role("button", name=f"Use {site.url}").click()
    offer = page.get_by_label(re.compile("End the .* that nobody approved"))
    expect(offer).to_be_hidden()

    page.get_by_role("switch", name="Two-factor authentication").check()
    offer.check()
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_text("that nobody approved w")).to_be_visible()
    other.goto(f"{site.url}/account/")
    expect(other).to_have_url(re.compile("/login/"))
    site.manage("authconfig", "set", "two_factor=off")
    other.close()
