"""The e-mail account by OAuth2, from a fresh site to a login that its mail approves."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import NewPage
from tests.support import axe
from tests.support.certificates import make_authority
from tests.support.mail_provider import (
    MAILBOX,
    SECRET,
    MailProvider,
    running_mail_provider,
)
from tests.support.site import (
    ADMIN_PASSWORD,
    USER_PASSWORD,
    Site,
    link_in,
    log_in,
    look,
)
from tests.support.submission import IS_POSSIBLE, Submission, running_submission

pytestmark = [
    pytest.mark.browser,
    pytest.mark.long,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not IS_POSSIBLE, reason="needs Dovecot and Postfix, and root to start them"
    ),
]
SETTINGS = "/admin/authconfig/authenticationsettings/"


@pytest.fixture(scope="module")
def site(site: Site) -> Site:
    site.add_users(("anna",))
    return site


@pytest.fixture(scope="module")
def provider(site: Site) -> Iterator[MailProvider]:
    shown = json.loads(site.manage("authconfig", "show", "--json"))
    with running_mail_provider(address=shown["smtp_oauth2_redirect_uri"]) as running:
        yield running


@pytest.fixture(scope="module")
def submission(provider: MailProvider) -> Iterator[Submission]:
    with running_submission(provider, make_authority()) as running:
        yield running


def choose_exchange(page: Page, provider: MailProvider, submission: Submission) -> None:
    """Choose the mode; what it fills in leads to the servers of this test instead."""
    page.get_by_label("OAuth2: Exchange").check()
    expect(page.locator("#id_smtp_server")).to_have_value("smtp.office365.com")
    expect(page.locator("#id_smtp_security")).to_have_value("starttls")
    unfold(page, "smtp-endpoints")
    unfold(page, "email")
    values = {
        "smtp_email_address": MAILBOX,
        "smtp_username": MAILBOX,
        "smtp_server": "localhost",
        "smtp_port": str(submission.port),
        "smtp_ca_certificate": submission.authority.ca_pem,
        "smtp_oauth2_tenant": "example.com",
        "smtp_oauth2_client_id": "mail-post",
        "smtp_oauth2_client_secret": SECRET,
        "smtp_oauth2_token_url": provider.token_url,
        "smtp_oauth2_authorize_url": f"{provider.issuer}/auth",
        "smtp_oauth2_scope": "openid email offline_access smtp",
    }
    for name, value in values.items():
        page.fill(f"#id_{name}", value)


def unfold(page: Page, name: str) -> None:
    fold = page.locator(f'[data-fold="{name}"]')
    if fold.get_attribute("open") is None:
        fold.locator("> summary").click()


def authorize(page: Page) -> None:
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="Authorize …").click()
    tab = opened.value
    tab.fill('input[name="login"]', MAILBOX)
    tab.fill('input[name="password"]', "any")
    tab.click('button[type="submit"]')
    expect(tab.locator("#authorized-as")).to_have_text(MAILBOX)
    look(tab, "mail-login-authorized")
    assert axe.faults(tab) == []
    tab.close()
    # To Playwright each page has the focus all the time.
    page.evaluate("window.dispatchEvent(new Event('focus'))")


def test_an_account_is_authorized_at_its_provider_and_approves_a_login(
    site: Site, new_page: NewPage, provider: MailProvider, submission: Submission
) -> None:
    page = new_page()
    log_in(page, site, "admin", ADMIN_PASSWORD, "/login/?next=/admin/")
    page.goto(f"{site.url}{SETTINGS}")
    choose_exchange(page, provider, submission)
    page.fill("#id_verification_link", f"{site.url}/PBX0/session.xml")
    authorize(page)
    expect(page.locator("#smtp-authorization-text")).to_contain_text(
        f"Authorized as {MAILBOX}"
    )

    page.get_by_label("Test", exact=True).fill("anna@example.com")
    page.get_by_role("button", name="Send test", exact=True).click()
    expect(page.get_by_text("The server accepted the test e-mail")).to_be_visible()
    expect(page.locator("#send-test")).to_contain_text(
        "Authorization code, interactive at"
    )
    look(page, "mail-login-tested")
    assert "@" in submission.postfix.await_mail()["From"]

    page.get_by_label("Two-factor authentication", exact=True).check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved:")).to_be_visible()
    anna = new_page()
    log_in(anna, site, "anna", USER_PASSWORD)
    code = anna.locator("#approval-code").inner_text()
    mailbox = new_page()
    mailbox.goto(link_in(submission.postfix.await_mail(2)))
    mailbox.fill('input[name="code"]', code)
    mailbox.click('button[value="accept"]')

    expect(anna).to_have_url(f"{site.url}/account/")
    assert f"user=<{MAILBOX}>, method=XOAUTH2" in submission.log
