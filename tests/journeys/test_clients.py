"""The clients behind real proxies, in a browser, by the lines of docs/clients.md."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.conftest import NewPage, SiteRunner
from tests.support.proxies import NAMES, Caddy, Nginx, Proxy, running_page
from tests.support.site import (
    USER_PASSWORD,
    Site,
    launch,
    link_in,
    log_in,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
COOKIE = "__Host-pbx_session"
LONG_NAME = "Jürgen ☎ Groß"
PBX, APPS = "https://pbx.example.com", "https://apps.example.com"
WANTED = f"{APPS}/voicemail/7?a=b"
# What a visitor would like the page to believe.
CLAIMS = {
    "Remote-User": "admin",
    "Remote_User": "admin",
    "Remote-Name": "The administrator",
    "Remote-Number": "1",
    "Remote-Groups": "everything",
}
CLIENTS = f"""
from authconfig.clients.models import ClientApplication
ClientApplication.objects.filter(slug="myapps").update(return_urls="{APPS}/")
ClientApplication.objects.create(
    name="Chat", slug="chat", kind="myapps", return_urls="{PBX}/chat/")
"""


@pytest.fixture(scope="module")
def site(run_site: SiteRunner) -> Site:
    behind_a_proxy = {"ALLOWED_HOSTS": "pbx.example.com", "TRUSTED_PROXY_COUNT": "1"}
    site = run_site(SITE_URL=PBX, **behind_a_proxy)
    site.add_users(("anna",), f"--long-name={LONG_NAME}")
    site.switch_two_factor_on()
    site.manage("shell", "-c", CLIENTS)
    return site


@pytest.fixture(
    scope="module", params=[Nginx, pytest.param(Caddy, marks=pytest.mark.long)]
)
def proxy(
    request: pytest.FixtureRequest,
    site: Site,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxy]:
    with running_page() as page_port:
        directory = tmp_path_factory.mktemp("proxy")
        running = request.param(directory, int(site.environment["PORT"]), page_port)
        running.start()
        yield running
        running.stop()


@pytest.fixture(scope="module")
def chromium(playwright: Playwright, proxy: Proxy) -> Iterator[Browser]:
    places = ", ".join(f"MAP {name}:443 127.0.0.1:{proxy.port}" for name in NAMES)
    with launch(playwright, f"--host-resolver-rules={places}") as browser:
        yield browser


@pytest.fixture
def new_page(new_page: NewPage) -> NewPage:
    """Open a page in a browser profile of its own, which claims to be somebody."""
    return partial(new_page, ignore_https_errors=True, extra_http_headers=CLAIMS)


def told(page: Page) -> list[str]:
    """Return what the page behind the proxy is told: name, address, user, the rest.

    Under whatever spelling a server may read them; "" is what it is not told.
    """
    shown: dict[str, list[str]] = defaultdict(list)
    for header, value in json.loads(page.locator("pre").inner_text()):
        shown[header.lower().replace("_", "-").removeprefix("remote-")].append(value)
    names = ("name", "email", "user", "number", "groups")
    return [",".join(shown[name]) for name in names]


def cookies_at(page: Page) -> str:
    shown = dict(json.loads(page.locator("pre").inner_text()))
    return shown.get("Cookie", "")


def log_in_with_both_factors(site: Site, page: Page, other: Page, wanted: str) -> None:
    seen = len(site.mails())
    page.goto(wanted)
    page.fill('input[name="login"]', "anna")
    page.fill('input[name="password"]', USER_PASSWORD)
    page.click('button[type="submit"]:not([data-toggle-password])')
    code = page.locator("#approval-code").inner_text()
    other.goto(link_in(site.new_mail(seen)))
    other.fill('input[name="code"]', code)
    other.click('button[value="accept"]')
    expect(page).to_have_url(wanted)


def test_a_visitor_logs_in_and_lands_where_he_wanted_until_his_session_ends(
    site: Site, new_page: NewPage
) -> None:
    page, other = new_page(), new_page()

    log_in_with_both_factors(site, page, new_page(), WANTED)

    name, *others = told(page)
    assert unquote(name) == LONG_NAME
    assert others == ["anna@example.com", "anna", "", ""]
    assert "pbx_session" not in cookies_at(page)
    page.goto(f"{APPS}/other")
    assert told(page)[2] == "anna"

    log_in_with_both_factors(site, other, new_page(), f"{PBX}/account/")
    other.get_by_role("button", name="End all others").click()
    expect(other.locator("li.session")).to_have_count(1)
    ended_at = time.monotonic()
    asked = "async () => (await fetch('/other', {redirect: 'manual'})).status"
    while page.evaluate(asked) == 200:
        assert time.monotonic() - ended_at < 2
    assert page.evaluate(asked) == 401
    page.goto(WANTED)
    expect(page.locator('input[name="password"]')).to_be_visible()
    assert page.url.startswith(f"{PBX}/login/?next=")


def test_a_mypbx_session_does_not_open_a_myapps_client(
    site: Site, new_page: NewPage
) -> None:
    page = new_page()
    log_in(page, site, "anna", USER_PASSWORD, "/mypbx/login/")
    expect(page).to_have_url(f"{PBX}/account/")

    for wanted in (WANTED, f"{PBX}/chat/"):
        page.goto(wanted)
        expect(page.get_by_text("Log in to myApps").first).to_be_visible()
        assert page.url.startswith(f"{PBX}/login/?next=")


def test_a_page_below_the_sites_own_host_is_kept_from_the_sites_cookie(
    site: Site, proxy: Proxy, new_page: NewPage
) -> None:
    page = new_page()
    log_in_with_both_factors(site, page, new_page(), f"{PBX}/chat/")
    own = {"name": "own", "value": "x", "url": PBX}
    page.context.add_cookies([own])  # type: ignore[list-item]

    page.goto(f"{PBX}/chat/")

    assert told(page)[2] == "anna"
    assert not re.search(rf"{COOKIE}=\w", cookies_at(page))
    assert "own=x" in cookies_at(page)
    (secret,) = (
        cookie["value"]
        for cookie in page.context.cookies(PBX)
        if cookie["name"] == COOKIE
    )
    for sent in (
        f"{COOKIE}={secret}",
        f"a=b; {COOKIE}={secret}; c=d",
        # However a second one of that name may have come there.
        f"a=b; {COOKIE}=x; {COOKIE}={secret}",
        f"{COOKIE}={secret};{COOKIE}={secret}",
    ):
        status, seen = ask(proxy, sent)
        assert (status, secret in seen) == (200, False), sent


def ask(proxy: Proxy, cookies: str) -> tuple[int, str]:
    """Ask for the chat page; return the status and what the page was sent."""
    trusting = ssl.create_default_context(cadata=proxy.authority.ca_pem)
    with (
        socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as plain,
        trusting.wrap_socket(plain, server_hostname="pbx.example.com") as connection,
    ):
        lines = ["GET /chat/ HTTP/1.0", "Host: pbx.example.com", f"Cookie: {cookies}"]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read().decode()
