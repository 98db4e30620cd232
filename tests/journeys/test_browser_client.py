"""An application that runs in browsers alone, by the lines of its page in docs/."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import NewPage
from tests.support.npm import install
from tests.support.other_clients import HERE
from tests.support.proxies import documented
from tests.support.services import ROOT
from tests.support.site import USER_PASSWORD, Site, free_port

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
DOCUMENT = ROOT / "docs" / "clients" / "javascript.md"
PAGE = """<!doctype html>
<title>Nobody</title>
<script type="importmap">{"imports": {
  "oidc-client-ts": "/node_modules/oidc-client-ts/dist/esm/oidc-client-ts.js",
  "jwt-decode": "/node_modules/jwt-decode/build/esm/index.js"
}}</script>
<script type="module" src="/application.js"></script>
"""


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        """Stay silent."""


@pytest.fixture(scope="module")
def site(site: Site) -> Site:
    site.add_users(("anna",), "--long-name=Anna Berg")
    return site


@pytest.fixture
def application(site: Site, tmp_path: Path) -> Iterator[str]:
    """Its address."""
    browser = HERE / "browser"
    install(browser)
    # Of the site's own host: its cookies are no foreign ones in the frame.
    own = f"http://localhost:{free_port()}"
    uris = (f"--redirect-uri={own}/", f"--redirect-uri={own}/silent.html")
    add = ("clients", "add", "Page", "--openid", "--own", "--public", *uris)
    made = site.manage(*add).strip().partition("=")[2]
    (script,) = documented("javascript", DOCUMENT)
    here = {"https://pbx.example.com": site.url, "https://apps.example.com": own}
    for example, real in (here | {'"client-id"': f'"{made}"'}).items():
        assert example in script
        script = script.replace(example, real)
    (tmp_path / "application.js").write_text(script)
    for name in ("index.html", "silent.html"):
        (tmp_path / name).write_text(PAGE)
    (tmp_path / "node_modules").symlink_to(browser / "node_modules")
    place = ("127.0.0.1", int(own.rpartition(":")[2]))
    server = ThreadingHTTPServer(place, partial(_Files, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield own
    server.shutdown()
    server.server_close()


def renewed(page: Page) -> str:
    """Return the new token's time of expiry, or why there is none."""
    asked = "async () => { try { return String((await renew()).expires_at) }"
    told: str = page.evaluate(f"{asked} catch (error) {{ return error.error }} }}")
    return told


@pytest.mark.long
def test_a_page_knows_its_visitor_until_the_session_ends(
    site: Site, application: str, new_page: NewPage
) -> None:
    page, other = new_page(), None
    page.goto(application)
    page.fill('input[name="login"]', "anna")
    page.fill('input[name="password"]', USER_PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()

    expect(page).to_have_title("Anna Berg")
    assert page.url == f"{application}/"
    assert renewed(page).isdigit()
    other = page.context.new_page()
    other.goto(f"{site.url}/account/")
    other.get_by_role("button", name="Log out").first.click()
    other.wait_for_url(f"{site.url}/login/**")
    assert renewed(page) == "login_required"
