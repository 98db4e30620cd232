"""Real client applications log in through the provider, in real browsers."""

from __future__ import annotations

import html
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import NewPage
from tests.support import axe
from tests.support.apache import Apache
from tests.support.proxies import running_page
from tests.support.relying import running_client
from tests.support.site import (
    ADMIN_PASSWORD,
    USER_PASSWORD,
    Site,
    free_port,
    link_in,
    log_in,
    look,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
CLIENTS = "/admin/clients/clientapplication/"


@pytest.fixture(scope="module")
def site(site: Site) -> Site:
    for number, name in enumerate(("anna", "bert", "carl")):
        facts = (f"--long-name={name.title()} Berg", f"--number=47{number}")
        site.add_users((name,), *facts)
    return site


@pytest.fixture(scope="module")
def admin(site: Site, chromium: Browser) -> Iterator[Page]:
    """The administrator, logged in before two-factor is switched on."""
    page = chromium.new_page()
    log_in(page, site, "admin", ADMIN_PASSWORD, "/login/?next=/admin/")
    expect(page).to_have_url(f"{site.url}/admin/")
    site.switch_two_factor_on()
    yield page
    page.close()


def check(page: Page, name: str) -> None:
    look(page, name)
    assert axe.faults(page) == []


def add_client(
    admin: Page, site: Site, name: str, *, callback: str, bye: str = "", public: bool
) -> tuple[str, str]:
    """Add it as an administrator does; return its ID and its secret."""
    admin.goto(f"{site.url}{CLIENTS}add/")
    admin.get_by_label("Name", exact=False).first.fill(name)
    admin.fill('input[name="slug"]', name.lower())
    admin.get_by_label("OpenID Connect", exact=True).check()
    admin.get_by_role("button", name="Save", exact=True).click()
    admin.fill('[name="openid-0-redirect_uris"]', callback)
    admin.fill('[name="openid-0-logout_uris"]', bye)
    if public:
        admin.get_by_role("checkbox", name="Public client").check()
    admin.get_by_role("button", name="Save and continue editing").click()
    identifier = admin.locator("#client-id").inner_text()
    if public:
        return identifier, ""
    check(admin, "client-application")
    admin.get_by_role("link", name="Make a new secret").click()
    check(admin, "ask-for-a-secret")
    admin.get_by_role("button", name="Make a new secret").click()
    secret = admin.locator("#client-secret").inner_text()
    check(admin, "secret")
    return identifier, secret


def log_in_with_both_factors(page: Page, other: Page, site: Site, name: str) -> None:
    """Log in on the page that a client led to, and accept it by the e-mail's link."""
    seen = len(site.mails())
    page.fill('input[name="login"]', name)
    page.fill('input[name="password"]', USER_PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    code = page.locator("#approval-code").inner_text()
    other.goto(link_in(site.new_mail(seen)))
    other.fill('input[name="code"]', code)
    other.click('button[value="accept"]')


def end_sessions_of(admin: Page, site: Site, name: str) -> None:
    admin.goto(f"{site.url}/admin/usersessions/usersession/?q={name}")
    admin.locator('input[name="_selected_action"]').first.check()
    admin.locator('select[name="action"]').select_option("end_selected")
    admin.get_by_role("button", name="Run").click()
    admin.get_by_role("button", name="End the sessions").click()
    expect(admin.get_by_text("1 session ended.")).to_be_visible()


@pytest.fixture
def apache(tmp_path: Path, site: Site, admin: Page) -> Iterator[str]:
    """Its address; it runs the document's lines for one page."""
    server = Apache(tmp_path)
    callback = f"{server.address}/.oidc/callback"
    pair = add_client(admin, site, "Pages", callback=callback, public=False)
    with running_page() as page_port:
        server.configure(site.url, page_port, *pair)
        server.start()
        yield server.address
        server.stop()


@pytest.mark.long
def test_apache_knows_its_visitor_until_his_session_ends(
    site: Site, admin: Page, apache: str, new_page: NewPage
) -> None:
    visitor = new_page(ignore_https_errors=True)
    visitor.goto(f"{apache}/wanted?x=1")
    log_in_with_both_factors(visitor, new_page(), site, "anna")
    expect(visitor.get_by_text("It would be told")).to_be_visible()
    check(visitor, "consent")
    visitor.get_by_role("button", name="Allow", exact=True).click()
    visitor.wait_for_url(f"{apache}/wanted?x=1")
    forged = {"Remote-User": "admin", "OIDC_CLAIM_upn": "admin"}
    told = visitor.context.request.get(apache, headers=forged).text()
    end_sessions_of(admin, site, "anna")
    ended_at = time.monotonic()
    while visitor.url.startswith(apache) and time.monotonic() - ended_at < 30:
        visitor.reload()
        time.sleep(0.5)

    assert visitor.url.startswith(f"{site.url}/login/")
    assert time.monotonic() - ended_at < 15
    assert "admin" not in told
    facts = dict(json.loads(html.unescape(re.findall("<pre>(.*)</pre>", told)[0])))
    assert facts["Remote-User"] == "anna"
    assert facts["OIDC_CLAIM_upn"] == "anna"
    assert facts["OIDC_CLAIM_name"] == "Anna Berg"
    assert facts["OIDC_CLAIM_number"] == "470"
    assert facts["OIDC_CLAIM_email"] == "anna@example.com"
    assert facts["OIDC_CLAIM_amr"] == "pwd,mca,email"


def shown(page: Page) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads(page.locator("pre").inner_text())
    return found


@pytest.mark.long
def test_openid_client_knows_its_visitor_until_his_session_ends(
    site: Site, admin: Page, new_page: NewPage
) -> None:
    port = free_port()
    own = f"http://127.0.0.1:{port}"
    pair = add_client(
        admin, site, "Chat", callback=f"{own}/callback", bye=f"{own}/bye", public=False
    )
    visitor = new_page()
    with running_client(site.url, port, *pair) as address:
        visitor.goto(f"{address}/login")
        log_in_with_both_factors(visitor, new_page(), site, "bert")
        visitor.get_by_role("button", name="Allow", exact=True).click()
        visitor.wait_for_url(f"{address}/")
        claims, userinfo = shown(visitor)["claims"], shown(visitor)["userinfo"]
        visitor.goto(f"{address}/refresh")
        assert shown(visitor)["userinfo"] == userinfo
        visitor.goto(f"{address}/login?prompt=none")
        visitor.wait_for_url(f"{address}/")
        visitor.goto(f"{address}/login?max_age=0")
        visitor.get_by_role("textbox", name="Password").fill(USER_PASSWORD)
        visitor.keyboard.press("Enter")
        visitor.wait_for_url(f"{address}/")
        assert shown(visitor)["claims"]["auth_time"] > claims["auth_time"]  # type: ignore[operator]
        end_sessions_of(admin, site, "bert")

        visitor.goto(address)
        assert shown(visitor)["status"] == 401
        visitor.goto(f"{address}/refresh")
        assert shown(visitor)["error"] == "invalid_grant"
        visitor.goto(f"{address}/login?prompt=none")
        assert shown(visitor)["error"] == "login_required"
        visitor.goto(f"{address}/login?redirect_uri=https://evil.example/")
        expect(visitor.get_by_text("redirect URI is none of those")).to_be_visible()
        check(visitor, "refused")
    assert claims["amr"] == ["pwd", "mca", "email"]
    assert claims["iss"] == site.url
    assert (claims["upn"], claims["preferred_username"]) == ("bert", "bert")
    assert (claims["name"], claims["number"]) == ("Bert Berg", "471")
    assert userinfo["sub"] == claims["sub"]


@pytest.mark.long
def test_a_public_client_logs_in_and_out(
    site: Site, admin: Page, new_page: NewPage
) -> None:
    port = free_port()
    own = f"http://127.0.0.1:{port}"
    pair = add_client(
        admin, site, "Phone", callback=f"{own}/callback", bye=f"{own}/bye", public=True
    )
    visitor = new_page()
    with running_client(site.url, port, *pair) as address:
        visitor.goto(f"{address}/login")
        log_in_with_both_factors(visitor, new_page(), site, "carl")
        visitor.get_by_role("button", name="Allow", exact=True).click()
        visitor.wait_for_url(f"{address}/")
        assert shown(visitor)["claims"]["amr"] == ["pwd", "mca", "email"]

        visitor.goto(f"{address}/logout")
        check(visitor, "log-out")
        visitor.get_by_role("button", name="Log out", exact=True).click()
        visitor.wait_for_url(f"{address}/bye")
        visitor.goto(f"{address}/login?prompt=none")
        assert shown(visitor)["error"] == "login_required"


def test_the_web_server_takes_request_lines_of_16_kb(site: Site) -> None:
    """In pieces, as a slow network brings them."""
    parts = urlsplit(site.url)
    line = f"GET /openid/authorize?state={'s' * 16_000} HTTP/1.1\r\n"
    head = (
        f"{line}Host: {parts.netloc}\r\nCookie: {'c' * 4000}\r\nConnection: close\r\n"
    )

    with socket.create_connection((parts.hostname, parts.port), 10) as connection:
        for start in range(0, len(head), 4096):
            connection.sendall(head[start : start + 4096].encode())
            time.sleep(0.02)
        connection.sendall(b"\r\n")
        answer = connection.recv(4096).decode()

    assert "This site knows no such client" in answer or "400" in answer
    assert "Invalid HTTP request" not in answer
