"""No serious fault of axe-core on any page, by light and by dark."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.admin import site as registry
from django.template.loader import render_to_string
from django.urls import reverse
from playwright.sync_api import FilePayload, Page, Route, expect

from authconfig.choices import AuthenticationType
from pbxsite.gateway.forward.handover import MOST_ROUNDS
from tests.conftest import NewPage
from tests.journeys.test_passkey import give_authenticator
from tests.support import axe
from tests.support.site import (
    USER_PASSWORD,
    Site,
    link_in,
    log_in,
    look,
)
from tests.support.totp import totp

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
APPS = "https://apps.example.com/"
RECORDING = "11111111-2222-4333-8444-555555555555"
# One command for all of them; Ines has no address.
USERS = f"""
from authconfig.users.models import PbxUser
for name in ("anna", "bert", "carl", "dora", "emil", "fred", "gabi", "kurt"):
    PbxUser.objects.create_user(name, "{USER_PASSWORD}", email=name + "@example.com")
PbxUser.objects.create_user("ines", "{USER_PASSWORD}")
from allauth.mfa.models import Authenticator
hans = PbxUser.objects.create_user("hans", "{USER_PASSWORD}", email="hans@example.com")
Authenticator.objects.create(user=hans, type="totp", data=dict(secret=""))
from authconfig.clients.models import ClientApplication
from authconfig.oauth2.models import ProviderIdentity
ProviderIdentity.objects.create(user=hans, issuer="https://idp.example", subject="7")
ClientApplication.objects.filter(slug="mypbx").update(return_urls="{APPS}")
from datetime import timedelta
from django.utils import timezone
from verification.voicemail.models import KeptRecording
KeptRecording.objects.create(
    user=PbxUser.objects.get(name="fred"), file="a.kept", size=1, key="a",
    public_id="{RECORDING}", kept_until=timezone.now() + timedelta(days=14),
)
"""
OAUTH2 = (
    "authentication_type=pbx_and_oauth2",
    "oauth2_provider_name=Windows",
    "oauth2_well_known_url=http://127.0.0.1:9/.well-known/openid-configuration",
    "oauth2_client_id=pbx",
)
Check = Callable[[Page, str], None]
SHORT_ON_PHONES = ("pbxuser", "usersession", "auditevent")
MOST_LINES = 3
# Of the longest row, without its frame.
LINES = """() => {
  const lines = (row) => {
    const style = getComputedStyle(row);
    const frame = parseFloat(style.paddingTop) + parseFloat(style.paddingBottom);
    const line = parseFloat(style.lineHeight) + parseFloat(style.rowGap);
    return Math.round((row.clientHeight - frame) / line);
  };
  const rows = [...document.querySelectorAll("#result_list tbody tr")];
  return Math.max(...rows.map(lines));
}"""
HREFS = "found => found.map(link => link.href)"


@pytest.fixture(scope="module")
def site(site: Site) -> Site:
    site.manage("shell", "--no-imports", "-c", USERS)
    link = f"verification_link={site.url}/PBX0/session.xml"
    site.manage("authconfig", "set", link, *OAUTH2)
    return site


@pytest.fixture
def check() -> Iterator[Check]:
    """Look at a page; all faults of a test's pages are told at its end."""
    found: dict[str, list[str]] = {}

    def look_at(page: Page, name: str) -> None:
        page.wait_for_load_state()
        look(page, name)
        if faults := axe.faults(page) + too_wide(page):
            found[name] = faults

    yield look_at
    told = "\n".join(f"{name}\n  " + "\n  ".join(each) for name, each in found.items())
    assert not found, f"\n{told}"


def too_wide(page: Page) -> list[str]:
    """WCAG 2.2, 1.4.10: on a narrow screen nobody scrolls in two directions."""
    usual = page.viewport_size
    assert usual
    page.set_viewport_size({"width": 390, "height": usual["height"]})
    width = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size(usual)
    return [f"{width} pixels wide on a screen of 390"] if width > 390 else []


@pytest.fixture
def two_factor(site: Site) -> Iterator[None]:
    site.manage("authconfig", "set", "two_factor=on", "--test", "a@example.com")
    yield
    site.manage("authconfig", "set", "two_factor=off", "factor_required=off")


@pytest.fixture
def hold(
    site: Site, new_page: NewPage, two_factor: None
) -> Callable[[str], tuple[Page, str, str]]:
    """Begin a login; return its waiting page, its code and its link."""

    def begin(name: str) -> tuple[Page, str, str]:
        seen, page = len(site.mails()), new_page()
        log_in(page, site, name, USER_PASSWORD)
        code = page.locator("#approval-code").inner_text()
        return page, code, link_in(site.new_mail(seen))

    return begin


Hold = Callable[[str], tuple[Page, str, str]]


def test_login_pages(site: Site, new_page: NewPage, check: Check) -> None:
    page = new_page()
    page.goto(f"{site.url}/login/")
    check(page, "login")
    log_in(page, site, "anna", "a wrong password")
    check(page, "login-failed")
    page.goto(f"{site.url}/mypbx/login/")
    check(page, "login-mypbx")
    page.goto(f"{site.url}/login/inactive/")
    check(page, "inactive")
    page.goto(f"{site.url}/login/rescue/?token=forged")
    check(page, "rescue-stale")
    found = re.search(r"http\S+/login/rescue/\S+", site.manage("rescue", "admin"))
    assert found
    page.goto(found[0])
    check(page, "rescue")
    # The page leads on to the provider, which this site's answer here is not.
    page.route("**/.well-known/**", lambda route: route.abort())
    page.goto(f"{site.url}/login/")
    page.click("#oauth2-login")
    check(page, "oauth2-unreachable")


@pytest.mark.long
def test_pages_on_the_way_to_a_client(
    site: Site, new_page: NewPage, check: Check
) -> None:
    page, clients = new_page(), f"{site.url}/clients/mypbx"
    page.goto(f"{clients}/failed/")
    check(page, "client-without-a-proxy")
    page.goto(f"{clients}/failed/?host=https://elsewhere.example.com")
    check(page, "client-elsewhere")
    page.goto(f"{clients}/failed/?host={APPS}&return={APPS}")
    check(page, "client-stale")
    log_in(page, site, "kurt", USER_PASSWORD, "/mypbx/login/")
    expect(page).to_have_url(f"{site.url}/account/")
    # The page leads on at once: nobody is there, and it stays.
    page.route(f"{APPS}**", lambda route: route.fulfill(status=204))
    page.goto(f"{clients}/open/?return={APPS}")
    check(page, "client-open")
    for _ in range(MOST_ROUNDS):
        page.request.get(f"{clients}/open/?return={APPS}")
    page.goto(f"{clients}/open/?return={APPS}")
    expect(page.get_by_role("heading", name="keeps asking")).to_be_visible()
    check(page, "client-round")
    with oauth2_only(site):
        page.goto(f"{clients}/open/")
        expect(page.get_by_role("heading", name="closed")).to_be_visible()
        check(page, "client-closed")


@contextmanager
def oauth2_only(site: Site) -> Iterator[None]:
    """Past the page's rules: no administrator has an account of the provider."""
    _choose_type(site, AuthenticationType.OAUTH2_ONLY)
    yield
    _choose_type(site, AuthenticationType.PBX_AND_OAUTH2)


def _choose_type(site: Site, chosen: AuthenticationType) -> None:
    change = (
        "from authconfig.models import AuthenticationSettings as Row;"
        f"row = Row.load(); row.authentication_type = {chosen.value!r}; row.save()"
    )
    site.manage("shell", "--no-imports", "-c", change)


@pytest.mark.long
def test_pages_of_faults(site: Site, new_page: NewPage, check: Check) -> None:
    page = new_page()
    page.route(f"{site.url}/400/", from_a_foreign_host)
    for status in (500, 503):
        page.route(f"{site.url}/{status}/", template_of(status))
    for status in (400, 500, 503):
        answer = page.goto(f"{site.url}/{status}/")
        assert answer
        assert answer.status == status
        check(page, str(status))


def from_a_foreign_host(route: Route) -> None:
    headers = route.request.headers | {"host": "elsewhere.example.com"}
    route.fulfill(response=route.fetch(headers=headers))


def template_of(status: int) -> Callable[[Route], None]:
    """As the site answers: without a request, so without anything that can fail."""
    page = render_to_string(f"{status}.html")
    return lambda route: route.fulfill(
        status=status, body=page, content_type="text/html"
    )


def test_waiting_pages(site: Site, hold: Hold, new_page: NewPage, check: Check) -> None:
    page, code, link = hold("anna")
    check(page, "waiting")
    other = new_page()
    other.goto(link)
    check(other, "link")
    other.fill('input[name="code"]', f"{(int(code) + 1) % 10_000:04d}")
    other.click('button[value="accept"]')
    check(other, "link-wrong-code")
    # Else the page would go on by itself.
    page.evaluate(
        "sessionStorage.setItem(`continued ${document.getElementById('wait')"
        ".dataset.expires}`, 'yes')"
    )
    other.fill('input[name="code"]', code)
    other.click('button[value="accept"]')
    check(other, "link-accepted")
    expect(page.locator("#continue")).to_be_visible()
    check(page, "waiting-accepted")
    other.goto(link)
    check(other, "link-stale")


@pytest.mark.long
def test_ended_waiting_pages(
    site: Site, hold: Hold, new_page: NewPage, check: Check
) -> None:
    page, _code, link = hold("bert")
    other = new_page()
    other.goto(link)
    other.click('button[value="reject"]')
    check(other, "link-rejected")
    other.get_by_role("button", name=re.compile("End all")).click()
    check(other, "link-rejected-ended")
    expect(page.get_by_role("heading", name="rejected")).to_be_visible()
    check(page, "waiting-rejected")
    log_in(page, site, "bert", USER_PASSWORD)
    check(page, "refused-wait")

    page, _code, _link = hold("carl")
    newer, code, link = hold("carl")
    expect(page.get_by_role("heading", name="newer")).to_be_visible()
    check(page, "waiting-superseded")
    other.goto(link)
    for _ in range(3):
        other.fill('input[name="code"]', f"{(int(code) + 1) % 10_000:04d}")
        other.click('button[value="accept"]')
    check(other, "link-three-wrong")
    expect(newer.get_by_text("three times").last).to_be_visible()
    check(newer, "waiting-wrong-codes")

    page, _code, _link = hold("dora")
    page.get_by_role("button", name="Cancel this login").click()
    check(page, "login-cancelled")

    page, _code, _link = hold("emil")
    expire_logins(site)
    expect(page.get_by_role("heading", name="expired")).to_be_visible()
    check(page, "waiting-expired")

    log_in(page, site, "ines", USER_PASSWORD)
    check(page, "refused-no-address")

    for _ in range(settings.LIMIT_HELD_LOGINS[0]):
        log_in(page, site, "kurt", USER_PASSWORD)
        expect(page.locator("#approval-code")).to_be_visible()
    log_in(page, site, "kurt", USER_PASSWORD)
    expect(page.get_by_text("Too many logins")).to_be_visible()
    check(page, "refused-too-many")


@pytest.mark.long
def test_page_of_a_required_factor(
    site: Site, hold: Hold, new_page: NewPage, check: Check
) -> None:
    site.manage("authconfig", "set", "factor_required=on")
    page, code, link = hold("dora")
    other = new_page()
    other.goto(link)
    other.fill('input[name="code"]', code)
    other.click('button[value="accept"]')
    expect(page).to_have_url(f"{site.url}/account/factors/needed/")
    check(page, "factor-needed")

    page.get_by_role("link", name="Add an authenticator app").click()
    page.get_by_label("Six digits").fill(totp(page.locator(".key").inner_text()))
    page.get_by_role("button", name="Add the app").click()
    page.get_by_role("link", name="I have kept them").click()

    expect(page.get_by_role("heading", name="Account security")).to_be_visible()


def expire_logins(site: Site) -> None:
    with closing(sqlite3.connect(site.data_dir / "db.sqlite3")) as database:
        database.execute(
            "UPDATE approval_loginsession SET expires_at = datetime('now')"
        )
        database.commit()


@pytest.mark.long
def test_account_pages(
    site: Site, new_page: NewPage, check: Check, request: pytest.FixtureRequest
) -> None:
    page = new_page()
    log_in(page, site, "fred", USER_PASSWORD)
    expect(page).to_have_url(f"{site.url}/account/")
    mypbx = new_page()
    log_in(mypbx, site, "fred", USER_PASSWORD, "/mypbx/login/")
    check(mypbx, "account-mypbx")
    for path, name in (
        ("/account/", "account"),
        ("/account/password/", "password"),
        ("/account/rejected/", "rejected"),
        (f"/account/voicemail/{RECORDING}/", "recording"),
        (f"/account/voicemail/{RECORDING}/sound/", "recording-gone"),
        ("/account/confirm/", "confirm"),
        ("/login/again/", "login-again"),
        ("/logout/", "logout"),
        ("/nowhere/", "404"),
        ("/admin/", "403"),
    ):
        page.goto(site.url + path)
        check(page, name)
    page.goto(f"{site.url}/account/password/")
    change_password(page)
    expect(page.locator(".fault")).to_be_visible()
    check(page, "password-faults")
    for _ in range(5):
        change_password(page)
    expect(page.get_by_role("heading", name="Too many attempts")).to_be_visible()
    check(page, "429")
    page.goto(f"{site.url}/account/")
    page.context.clear_cookies(name="pbx_csrf")
    page.get_by_role("banner").get_by_role("button", name="Log out").click()
    check(page, "403-csrf")
    hold = request.getfixturevalue("hold")
    page.goto(f"{site.url}/account/password/")
    hold("fred")
    expect(page.locator("form.approval")).to_be_visible()
    check(page, "banner")
    page.fill("form.approval input[name=code]", "0000")
    page.click("form.approval button[value=accept]")
    check(page, "banner-wrong-code")
    page.goto(f"{site.url}/account/")
    check(page, "account-pending")
    page.click("form.approval button[value=reject]")
    expect(page).to_have_url(f"{site.url}/account/rejected/")


def change_password(page: Page) -> None:
    """With a wrong one; the browser sends only what is filled in and long enough."""
    for label in ("Present password", "New password", "New password again"):
        page.get_by_label(label, exact=True).fill("a wrong password")
    page.get_by_role("button", name="Change password").click()


@pytest.mark.long
def test_factor_pages(site: Site, new_page: NewPage, check: Check) -> None:
    page = new_page()
    give_authenticator(page)
    log_in(page, site, "gabi", USER_PASSWORD)
    factors = f"{site.url}/account/factors"
    page.goto(f"{factors}/passkeys/add/")
    check(page, "passkey-add")
    page.get_by_label("Name").fill("My phone")
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    check(page, "codes")
    page.goto(f"{factors}/app/add/")
    check(page, "app-add")
    page.get_by_label("Six digits").fill("000000")
    page.get_by_role("button", name="Add the app").click()
    check(page, "app-add-fault")
    page.get_by_label("Six digits").fill(totp(page.locator(".key").inner_text()))
    page.get_by_role("button", name="Add the app").click()
    page.goto(f"{site.url}/account/")
    check(page, "account-factors")
    for path, name in (
        ("app/remove/", "app-remove"),
        ("codes/", "codes-again"),
        ("codes/new/", "codes-new"),
        ("confirm/", "factor-confirm"),
        ("passkeys/confirm/", "passkey-confirm"),
    ):
        page.goto(f"{factors}/{path}")
        check(page, name)
    page.goto(f"{site.url}/account/")
    links = page.locator("a[href*='/passkeys/']").evaluate_all(HREFS)
    for url in links:
        page.goto(url)
        check(page, "passkey" + url.rstrip("/").rpartition("/")[2])
    page.goto(f"{site.url}/account/")
    page.get_by_role("banner").get_by_role("button", name="Log out").click()
    log_in(page, site, "gabi", USER_PASSWORD)
    expect(page).to_have_url(f"{site.url}/login/factor/")
    check(page, "login-factor")


def test_mailbox_pages(site: Site, new_page: NewPage, check: Check) -> None:
    page = new_page()
    page.goto(f"{site.url}/mailbox/")
    check(page, "mailbox")
    page.locator("main a").first.click()
    check(page, "mailbox-mail")


@pytest.mark.long
def test_admin_pages(site: Site, admin_page: Page, hold: Hold, check: Check) -> None:
    hold("anna")
    check(admin_page, "admin")
    models = models_of_the_admin()
    assert set(models_of(admin_page)) <= set(models)
    for path in models:
        name = path.split("/")[-2]
        admin_page.goto(site.url + path)
        check(admin_page, f"admin-{name}")
        if name in SHORT_ON_PHONES:
            assert tallest_row(admin_page) <= MOST_LINES, name
        for kind, link in of_one(admin_page, path).items():
            admin_page.goto(link)
            check(admin_page, f"admin-{name}-{kind}")


def tallest_row(page: Page) -> float:
    """Return how many lines a row has at most on a phone."""
    usual = page.viewport_size
    assert usual
    page.set_viewport_size({"width": 390, "height": usual["height"]})
    lines = page.evaluate(LINES)
    page.set_viewport_size(usual)
    return float(lines)


def models_of_the_admin() -> list[str]:
    """Return the list of each model: some are in no menu."""
    models = [model for model in apps.get_models() if registry.is_registered(model)]
    names = (f"{model._meta.app_label}_{model._meta.model_name}" for model in models)
    return sorted(reverse(f"admin:{name}_changelist") for name in names)


def models_of(page: Page) -> list[str]:
    links = page.locator("nav a, #nav-sidebar a").evaluate_all(HREFS)
    return sorted({p for p in map(path_of, links) if p.count("/") == 4})


def path_of(url: str) -> str:
    return urlsplit(url).path


@pytest.mark.long
def test_queue_page_lives_and_its_questions(
    site: Site, admin_page: Page, check: Check
) -> None:
    admin_page.goto(f"{site.url}/admin/queue/")
    admin_page.get_by_text("As a table").first.click()
    check(admin_page, "queue")
    other = admin_page.context.new_page()
    other.goto(f"{site.url}/admin/queue/")
    other.get_by_role("button", name="Pause sending").click()
    check(other, "queue-question")
    other.get_by_role("button", name="Pause sending").click()
    expect(other.get_by_role("button", name="Go on sending")).to_be_visible()
    check(other, "queue-paused")
    other.close()

    # The first page learns of it by itself, and keeps its table open.
    expect(
        admin_page.get_by_text("Sending is paused: no e-mail goes out")
    ).to_be_visible()
    expect(admin_page.locator("#chart-table-1")).to_have_attribute("open", "")
    admin_page.get_by_role("button", name="Go on sending").click()
    admin_page.get_by_role("button", name="Go on sending").click()
    expect(admin_page.get_by_role("button", name="Pause sending")).to_be_visible()


def test_settings_page_and_its_faults(
    site: Site, admin_page: Page, check: Check
) -> None:
    admin_page.goto(f"{site.url}/admin/authconfig/authenticationsettings/")
    admin_page.get_by_role("radio", name="PBX and Netlogon").check()
    admin_page.get_by_label("SMTP server").fill("not a host name")
    check(admin_page, "settings-changed")
    admin_page.get_by_role("button", name="Save", exact=True).click()
    expect(admin_page.locator(".fault").first).to_be_visible()
    check(admin_page, "settings-faults")


@pytest.mark.long
def test_pages_that_the_lists_lead_on_to(
    site: Site, admin_page: Page, check: Check
) -> None:
    admin_page.goto(f"{site.url}/admin/users/pbxuser/")
    admin_page.get_by_role("link", name="anna", exact=True).click()
    admin_page.goto(admin_page.url.replace("/change/", "/password/"))
    check(admin_page, "admin-password")
    admin_page.goto(f"{site.url}/admin/users/pbxuser/?q=hans")
    admin_page.get_by_role("link", name="hans", exact=True).click()
    check(admin_page, "admin-user-with-account")
    admin_page.get_by_role("link", name="Reset second factors").click()
    check(admin_page, "admin-reset-factors")
    admin_page.goto(f"{site.url}/admin/users/pbxuser/access/")
    check(admin_page, "admin-who-can-log-in")
    admin_page.goto(f"{site.url}/admin/users/pbxuser/?q=hans")
    admin_page.get_by_role("link", name="hans", exact=True).click()
    admin_page.get_by_role("link", name="Disconnect").click()
    check(admin_page, "admin-disconnect")
    admin_page.goto(f"{site.url}/admin/usersessions/usersession/")
    admin_page.get_by_role("row", name="admin").get_by_role("checkbox").first.check()
    admin_page.locator('select[name="action"]').select_option("end_selected")
    admin_page.get_by_role("button", name="Run").click()
    expect(admin_page.get_by_text("End these sessions?").first).to_be_visible()
    check(admin_page, "admin-confirm")


@pytest.mark.long
def test_questions_and_runs(site: Site, admin_page: Page, check: Check) -> None:
    users, page = f"{site.url}/admin/users/pbxuser", admin_page
    page.goto(f"{users}/?q=emil")
    page.get_by_role("link", name="emil", exact=True).click()
    one = page.url.partition("/change/")[0]
    for question in ("erase", "export-data", "generate", "deactivate"):
        page.goto(f"{one}/{question}/")
        check(page, f"admin-user-{question}")
    page.goto(f"{users}/invite/")
    check(page, "admin-invite")
    page.locator("#content button[type=submit]").click()
    check(page, "admin-inviting")
    directory = f"{site.url}/admin/authconfig/authenticationsettings"
    for name in ("users-from-directory", "users-by-scim", "users-by-scim/key/make"):
        page.goto(f"{directory}/{name}/")
        check(page, f"admin-{name.replace('/', '-')}")
    page.locator("#content button[type=submit]").click()
    check(page, "admin-scim-key")


@pytest.mark.long
def test_pages_of_a_forgotten_password(
    site: Site, new_page: NewPage, check: Check
) -> None:
    page, seen = new_page(), len(site.mails())
    page.goto(f"{site.url}/login/forgot/")
    check(page, "forgotten")
    page.fill('input[name="login"]', "emil")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sent/")
    check(page, "forgotten-sent")
    text = site.new_mail(seen).get_body(("plain",))
    assert text
    link = re.search(r"http\S+/account/password/set/\S+", text.get_content())
    assert link
    page.goto(link[0])
    check(page, "forgotten-set")
    page.goto(f"{link[0]}0")
    check(page, "forgotten-stale")


@pytest.mark.long
def test_pages_of_the_voicemail_key_and_of_an_import(
    site: Site, admin_page: Page, check: Check
) -> None:
    key = f"{site.url}/admin/authconfig/authenticationsettings/voicemail-key"
    admin_page.goto(f"{key}/make/")
    check(admin_page, "voicemail-key-make")
    admin_page.locator("#content button[type=submit]").click()
    check(admin_page, "voicemail-key")
    admin_page.goto(f"{key}/revoke/")
    check(admin_page, "voicemail-key-revoke")
    for name, address, told in (
        ("import-preview", "nora@example.com", "1 user to add"),
        ("import-faults", "no address", "the file has 1 fault"),
    ):
        admin_page.goto(f"{site.url}/admin/users/pbxuser/import/")
        lines = f"name,long_name,email,number,active\nnora,Nora,{address},,1\n"
        file = FilePayload(name="users.csv", mimeType="text/csv", buffer=lines.encode())
        admin_page.set_input_files("input[type=file]", file)
        admin_page.get_by_role("button", name="Preview").click()
        expect(admin_page.get_by_text(told)).to_be_visible()
        check(admin_page, name)


def of_one(page: Page, path: str) -> dict[str, str]:
    """Return the addresses that lead on from a list: of its first row, and new."""
    found = page.locator(f"a[href^='{path}']").evaluate_all(HREFS)
    kinds = {
        kind: next((url for url in found if re.search(pattern, url)), None)
        for kind, pattern in KINDS.items()
    }
    change = kinds["change"]
    if change:
        one = change.partition("/change/")[0]
        kinds["delete"], kinds["history"] = f"{one}/delete/", f"{one}/history/"
    return {kind: url for kind, url in kinds.items() if url}


KINDS = {
    "change": r"/\d+/change/",
    "add": r"/add/",
    "import": r"/import/",
}
