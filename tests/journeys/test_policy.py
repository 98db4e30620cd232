"""The table of who may log in, cell by cell, in a browser and against real servers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import NewPage
from tests.support.directory import WINDOWS_PASSWORD, Directory
from tests.support.provider import Provider
from tests.support.site import (
    USER_PASSWORD,
    Site,
    log_in,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
PAGES = {"myapps": "/login/", "mypbx": "/mypbx/login/"}
BUTTON = "#oauth2-login"
# For each type and kind: whose passwords count, whether OAuth2 does, and the hint.
CELLS: list[tuple[str, str, set[str], bool, str]] = [
    ("pbx_only", "myapps", {"pbx"}, False, "Your PBX password"),
    ("pbx_only", "mypbx", {"pbx"}, False, "Your PBX password"),
    ("netlogon_only", "myapps", {"windows"}, False, "Your Windows password"),
    ("netlogon_only", "mypbx", {"windows"}, False, "Your Windows password"),
    (
        "pbx_and_netlogon",
        "myapps",
        {"pbx", "windows"},
        False,
        "Your PBX password or your Windows password",
    ),
    (
        "pbx_and_netlogon",
        "mypbx",
        {"pbx", "windows"},
        False,
        "Your PBX password or your Windows password",
    ),
    ("oauth2_only", "myapps", set(), True, ""),
    ("oauth2_only", "mypbx", set(), False, ""),
    ("pbx_and_oauth2", "myapps", {"pbx"}, True, "Your PBX password"),
    ("pbx_and_oauth2", "mypbx", {"pbx"}, False, "Your PBX password"),
]
# In each run what myApps offers, and what closes myPBX; tests/authconfig/test_policy.py
# asks for every cell.
MARKS_OF = {
    (type_, kind): pytest.mark.long
    for type_, kind, *_ in CELLS
    if kind == "mypbx" and type_ != "oauth2_only"
}
# Anna has a PBX password and an account at the provider, Bert a Windows password.
WHO = {"pbx": ("anna", USER_PASSWORD), "windows": ("bert", WINDOWS_PASSWORD)}


def assignments(values: dict[str, Any], ca_file: str) -> list[str]:
    words = [f"{key}={value}" for key, value in values.items()]
    return [
        f"netlogon_ca_certificate=@{ca_file}"
        if word.startswith("netlogon_ca_certificate=")
        else word
        for word in words
    ]


@pytest.fixture(scope="module")
def site(
    site: Site,
    tmp_path_factory: pytest.TempPathFactory,
    directory: Directory,
    provider: Provider,
) -> Site:
    ca_file = tmp_path_factory.mktemp("certificates") / "ca.pem"
    ca_file.write_text(directory.ca_pem)
    site.add_user("anna")
    site.manage("pbxusers", "add", "bert")
    values = directory.settings() | provider.settings()
    site.manage("authconfig", "set", *assignments(values, str(ca_file)))
    return site


@pytest.fixture
def visitor(new_page: NewPage) -> Page:
    return new_page()


@pytest.mark.parametrize(
    ("type_", "kind", "passwords", "oauth2", "hint"),
    [pytest.param(*cell, marks=MARKS_OF.get(cell[:2], ())) for cell in CELLS],
    ids=[f"{type_}-{kind}" for type_, kind, *_ in CELLS],
)
def test_each_cell_shows_and_lets_in_exactly_what_it_says(
    site: Site,
    visitor: Page,
    type_: str,
    kind: str,
    passwords: set[str],
    oauth2: bool,
    hint: str,
) -> None:
    site.manage("authconfig", "set", f"authentication_type={type_}")
    visitor.goto(site.url + PAGES[kind])
    expect(visitor.locator(BUTTON)).to_have_count(int(oauth2))
    expect(visitor.locator('input[name="password"]')).to_have_count(
        min(len(passwords), 1)
    )
    if hint:
        expect(visitor.locator("#password-hint")).to_have_text(hint)
    if not passwords and not oauth2:
        expect(visitor.get_by_text("“OAuth2 only”")).to_be_visible()

    for method, (name, password) in WHO.items():
        if passwords:
            log_in(visitor, site, name, password, PAGES[kind])
            is_in(visitor, site, name, expected=method in passwords)
    if oauth2:
        visitor.goto(site.url + PAGES[kind])
        visitor.click(BUTTON)
        log_in_at_provider(visitor, "1")
        is_in(visitor, site, "anna", expected=True)


def log_in_at_provider(page: Page, account: str) -> None:
    page.fill('input[name="login"]', account)
    page.fill('input[name="password"]', "any")
    page.click('button[type="submit"]')


def is_in(page: Page, site: Site, name: str, *, expected: bool) -> None:
    """Check where a login ended, and log out again."""
    if not expected:
        expect(
            page.get_by_text("user name or the password is not right")
        ).to_be_visible()
        return
    expect(page).to_have_url(re.compile(r"/account/$"))
    expect(page.locator(".lead strong")).to_have_text(name)
    page.get_by_role("banner").get_by_role("button", name="Log out").click()
    # The page may hear of it first, and then says where to come back to.
    expect(page).to_have_url(re.compile(r"/login/"))
