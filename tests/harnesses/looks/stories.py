"""What is done before each picture; the stories follow each other on one site."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from email.message import EmailMessage
from typing import Any

from playwright.sync_api import BrowserContext, FilePayload, Page

from authconfig.choices import OAuth2Grant, SmtpLogin
from tests.support.site import (
    ADMIN_PASSWORD,
    USER_PASSWORD,
    Scheme,
    Site,
    link_in,
    log_in,
    look,
)

USERS = "/admin/users/pbxuser/"
SETTINGS = "/admin/authconfig/authenticationsettings/"
LISTS = {
    "users": USERS,
    "users-none-found": f"{USERS}?q=nobody-like-this",
    "who-can-log-in": f"{USERS}access/",
    "groups": "/admin/auth/group/",
    "sessions": "/admin/usersessions/usersession/",
    "logins": "/admin/approval/loginsession/",
    "factors": "/admin/mfa/authenticator/",
    "emails": "/admin/mail/outgoingemail/",
    "audit-log": "/admin/users/auditevent/",
    "client-applications": "/admin/clients/clientapplication/",
}
PAGES = {
    "overview": "/admin/",
    "queue": "/admin/queue/",
    "user-add": f"{USERS}add/",
    "group-add": "/admin/auth/group/add/",
    "client-add": "/admin/clients/clientapplication/add/",
}
FILE = "name,long_name,email,number,active\n"
EMAIL_SECTION = "#section-email"
EXCHANGE = {
    "smtp_login": "exchange",
    "smtp_username": "pbx@example.com",
    "smtp_oauth2_tenant": "example.onmicrosoft.com",
    "smtp_oauth2_client_id": "6731de76-14a6-49ae-97bc-6eba6914391e",
    "smtp_oauth2_client_secret": "any",
}
# What a provider would say after somebody has authorized the site.
WITHDRAW = """
from authconfig.models import AuthenticationSettings
from verification.mail.oauth2 import authorization, renewal
from verification.mail.oauth2.endpoint import Tokens
from verification.mail.oauth2.faults import TokenError, TokenFault
from verification.mail.oauth2.settings import configuration_of
asked = configuration_of(AuthenticationSettings.load())
tokens = Tokens("t", 3600, refresh_token="r")
authorization.keep_authorization(asked, tokens, account="pbx@example.com")
row = renewal.row_of(asked)
renewal.begin(row)
def refuse(*_):
    raise TokenError(TokenFault.GRANT, "invalid_grant: AADSTS50173: The grant has been"
        " revoked, and fresh credentials are needed.")
renewal._ask = refuse
try:
    renewal.renew(asked, row)
except TokenError:
    pass
"""


class Looker:
    """Somebody with a browser in one language."""

    def __init__(
        self,
        site: Site,
        context: BrowserContext,
        language: str,
        variants: tuple[tuple[Scheme, int], ...],
        patience_ms: float,
    ) -> None:
        self.site, self.context, self.language = site, context, language
        self.variants, self.patience_ms = variants, patience_ms
        context.set_default_timeout(patience_ms)
        self.page = context.new_page()

    def other(self) -> Page:
        """Return a page of another browser."""
        assert self.context.browser
        locale = self.page.evaluate("navigator.language")
        page = self.context.browser.new_context(locale=locale).new_page()
        page.set_default_timeout(self.patience_ms)
        return page

    def goto(self, path: str, page: Page | None = None) -> Page:
        page = page or self.page
        page.goto(path if path.startswith("http") else f"{self.site.url}{path}")
        return page

    def look(self, name: str, page: Page | None = None, part: str = "html") -> None:
        page = page or self.page
        page.wait_for_load_state()
        look(page, f"{self.language}-{name}", self.variants, part)

    def look_at(self, pages: dict[str, str]) -> None:
        for name, path in pages.items():
            self.goto(path)
            self.look(name)

    def press(self, selector: str, page: Page | None = None) -> None:
        (page or self.page).locator(selector).first.click()

    def enter(self, selector: str, value: str, page: Page | None = None) -> None:
        (page or self.page).locator(selector).first.fill(value)


def first(looker: Looker) -> None:
    """A fresh site, and its administrator's login."""
    looker.goto("/login/")
    looker.look("login")
    log_in(looker.page, looker.site, "admin", "a wrong password")
    looker.look("login-failed")
    log_in(looker.page, looker.site, "admin", ADMIN_PASSWORD, "/login/?next=/admin/")
    looker.look("overview-fresh")
    looker.goto(SETTINGS)
    looker.look("settings-fresh")


def users(looker: Looker) -> None:
    """Sixty users are imported; one has no address."""
    rows = "".join(f"u{n},User {n},u{n}@example.com,{100 + n},1\n" for n in range(60))
    looker.goto(f"{USERS}import/")
    looker.look("import")
    for name, text in (
        ("import-faults", f"{FILE}nora,Nora,no address,,1\n"),
        ("import-preview", f"{FILE}{rows}silent,Sil Ent,,,1\n"),
    ):
        file = FilePayload(name="users.csv", mimeType="text/csv", buffer=text.encode())
        looker.goto(f"{USERS}import/")
        looker.page.set_input_files("input[type=file]", file)
        looker.press("#content button[type=submit]")
        looker.look(name)
    looker.press("#content button[type=submit]")
    looker.look("imported")
    looker.goto("/admin/")
    looker.look("overview-imported")
    looker.goto(f"{USERS}access/")
    looker.look("who-can-log-in-imported")


def settings(looker: Looker) -> None:
    """Two tabs, a conflict, what a value was, a test, a lost session."""
    for name in ("First", "Second", "Third"):
        looker.goto(SETTINGS)
        looker.enter("#id_smtp_sender_name", name)
        looker.press(".save-bar button[type=submit]")
    looker.goto(SETTINGS)
    looker.enter("#id_smtp_sender_name", "Pressed twice")
    looker.page.locator(".save-bar button[type=submit]").dblclick()
    looker.page.wait_for_selector(".messagelist, .bg-green-100")
    looker.look("settings-saved-by-a-double-click")
    looker.goto(SETTINGS)
    looker.press(".older summary")
    looker.press("#send-test [data-run]")
    looker.page.wait_for_selector('.test[data-state="accepted"]')
    looker.look("settings-tested")
    theirs = looker.goto(SETTINGS, looker.context.new_page())
    looker.goto(SETTINGS)
    looker.enter("#id_smtp_sender_name", "Theirs", theirs)
    looker.press(".save-bar button[type=submit]", theirs)
    looker.enter("#id_smtp_sender_name", "Mine")
    looker.page.wait_for_selector("#others:not([hidden])")
    looker.look("settings-others-saved")
    looker.press(".save-bar button[type=submit]")
    looker.look("settings-conflict")
    looker.goto(SETTINGS)
    looker.page.locator('[value="pbx_and_oauth2"]').check()
    looker.page.wait_for_selector("#unsaved:not([hidden])")
    looker.look("settings-type-changed")
    looker.press(".save-bar button[type=submit]")
    looker.look("settings-faults")
    lose_session(looker)


def lose_session(looker: Looker) -> None:
    looker.goto(SETTINGS)
    looker.enter("#id_smtp_sender_name", "Over the login")
    looker.page.wait_for_selector("#unsaved:not([hidden])")
    looker.context.clear_cookies(name="pbx_session")
    looker.press("#send-test [data-run]")
    looker.page.wait_for_selector("#logged-out:not([hidden])")
    looker.look("settings-logged-out")
    looker.press(".save-bar button[type=submit]")
    looker.look("login-kept")
    looker.enter('input[name="login"]', "admin")
    looker.enter('input[name="password"]', ADMIN_PASSWORD)
    looker.page.keyboard.press("Enter")
    looker.page.wait_for_selector("[data-notice]")
    looker.look("settings-kept")


def mail_login(looker: Looker) -> None:
    """Each way to log in, a consent that was withdrawn, a secret that ends soon."""
    looker.goto(SETTINGS)
    for login in SmtpLogin:
        looker.page.locator(f'[name="smtp_login"][value="{login}"]').check()
        looker.look(f"mail-login-{login}", part=EMAIL_SECTION)
    for grant in OAuth2Grant:
        looker.page.locator("#id_smtp_oauth2_grant").select_option(grant.value)
        looker.look(f"mail-login-private-key-{grant}", part=EMAIL_SECTION)
    configure(looker.site, EXCHANGE)
    looker.site.manage("shell", "-v0", "-c", WITHDRAW)
    looker.look_at({"overview-consent-withdrawn": "/admin/"})
    looker.goto(SETTINGS)
    looker.look("mail-login-consent-withdrawn", part=EMAIL_SECTION)
    soon = (date.today() + timedelta(days=12)).isoformat()
    application = {"smtp_login": "microsoft_365_application"}
    configure(looker.site, application | {"smtp_oauth2_client_secret_expires": soon})
    looker.look_at({"overview-secret-expires": "/admin/"})
    looker.goto(SETTINGS)
    looker.look("mail-login-secret-expires", part=EMAIL_SECTION)


def configure(site: Site, values: dict[str, str]) -> None:
    site.manage(
        "authconfig", "set", *(f"{key}={value}" for key, value in values.items())
    )


def two_factor(looker: Looker) -> None:
    looker.site.switch_two_factor_on()
    looker.look_at({"settings-two-factor": SETTINGS, "overview-two-factor": "/admin/"})


def invitations(looker: Looker) -> None:
    """All are invited; one sets a password on a phone and logs in with approval."""
    looker.goto(f"{USERS}invite/")
    looker.look("invite")
    looker.press("#content button[type=submit]")
    looker.look("inviting")
    page = looker.other()
    looker.goto(link_to_set(mail_to(looker.site, "u7")), page)
    looker.look("set-password", page)
    set_password(page, "password")
    looker.look("set-password-fault", page)
    set_password(page, USER_PASSWORD)
    looker.look("password-set", page)
    approved(looker, page, "u7")
    looker.look("account", page)


def approved(looker: Looker, page: Page, name: str) -> None:
    seen, site = len(looker.site.mails()), looker.site
    log_in(page, site, name, USER_PASSWORD)
    looker.look("waiting", page)
    code = page.locator("#approval-code").inner_text()
    mailbox = looker.goto(link_in(site.new_mail(seen)), looker.other())
    looker.look("approve", mailbox)
    looker.enter('input[name="code"]', code, mailbox)
    looker.press('button[value="accept"]', mailbox)
    looker.look("approved", mailbox)
    page.wait_for_url(f"{site.url}/account/")


def forgotten(looker: Looker) -> None:
    page = looker.goto("/login/forgot/", looker.other())
    looker.look("forgotten", page)
    looker.enter('input[name="login"]', "u7", page)
    seen = len(looker.site.mails())
    page.keyboard.press("Enter")
    page.wait_for_url("**/sent/")
    looker.look("forgotten-sent", page)
    link = link_to_set(looker.site.new_mail(seen))
    looker.goto(link, page)
    looker.look("forgotten-set", page)
    set_password(page, "another long password")
    looker.goto(link, page)
    looker.look("link-over", page)


def lists(looker: Looker) -> None:
    looker.look_at(LISTS)
    looker.look_at(PAGES)


def objects(looker: Looker) -> None:
    """The pages of one user, and what is asked before harm."""
    looker.goto(f"{USERS}?q=u7")
    looker.press("#result_list tbody th a")
    looker.look("user")
    user = looker.page.url.partition("/change/")[0]
    for name in ("delete", "erase", "export-data", "password", "generate"):
        looker.goto(f"{user}/{name}/")
        looker.look(f"user-{name}")
    for name, path in (
        ("group", LISTS["groups"]),
        ("client", LISTS["client-applications"]),
        ("audit-event", LISTS["audit-log"]),
        ("email", LISTS["emails"]),
    ):
        looker.goto(path)
        looker.press("#result_list tbody th a")
        looker.look(name)
    looker.goto(LISTS["sessions"])
    looker.page.locator("input.action-select").last.check()
    looker.page.locator('select[name="action"]').select_option(index=1)
    looker.press('#changelist-form button[type="submit"]')
    looker.look("confirm")


def types(looker: Looker) -> None:
    """Who can log in, by another authentication type."""
    looker.site.manage(
        "authconfig",
        "set",
        "authentication_type=netlogon_only",
        "netlogon_domain=ad.example.com",
    )
    looker.look_at(
        {"who-can-log-in-netlogon": f"{USERS}access/", "overview-netlogon": "/admin/"}
    )


def mail_to(site: Site, name: str) -> EmailMessage:
    while True:
        for mail in site.mails():
            if mail["To"] == f"{name}@example.com":
                return mail


def link_to_set(mail: EmailMessage) -> str:
    text: Any = mail.get_body(("plain",))
    found = re.search(r"http\S+/account/password/set/\?id=\S+", text.get_content())
    assert found
    return found[0]


def set_password(page: Page, password: str) -> None:
    for field in ("new_password1", "new_password2"):
        page.fill(f'input[name="{field}"]', password)
    with page.expect_navigation():
        page.keyboard.press("Enter")


STORIES: dict[str, Callable[[Looker], None]] = {
    "first": first,
    "users": users,
    "settings": settings,
    "two-factor": two_factor,
    "invitations": invitations,
    "forgotten": forgotten,
    "lists": lists,
    "objects": objects,
    "types": types,
    "mail-login": mail_login,
}
