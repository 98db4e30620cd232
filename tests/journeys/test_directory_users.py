"""An administrator lets the directory say who the users are, and dares to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.certificates import make_authority
from tests.support.crowds import CROWD, crowd
from tests.support.directory import BASE, Directory, running_directory
from tests.support.site import Site, look

pytestmark = [pytest.mark.browser, pytest.mark.long]
OU = f"ou=Telephones,{BASE}"
NAMES = ("anna", "bert", "clara", "dora", "emil", "frieda")
SETTINGS = "/admin/authconfig/authenticationsettings/"
MANY = 2000


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    """A directory of its own: others count who is in theirs."""
    with running_directory(make_authority("Example CA")) as directory:
        directory.load(crowd(MANY))
        yield directory


@pytest.fixture(scope="module")
def dns(directory: Directory) -> list[str]:
    directory.empty(OU)
    return [
        directory.add_user(
            name,
            ou=OU,
            displayName=f"{name.title()} Müller",
            mail=f"{name}@example.com",
            telephoneNumber=f"+49 711 55{at}",
        )
        for at, name in enumerate(NAMES)
    ]


@pytest.fixture(scope="module")
def site(site: Site, directory: Directory, dns: list[str]) -> Iterator[Site]:
    (site.data_dir / "ca.pem").write_text(directory.ca_pem)
    values = directory.settings(netlogon_ca_certificate=f"@{site.data_dir}/ca.pem")
    site.manage("authconfig", "set", *(f"{k}={v}" for k, v in values.items()))
    site.add_user("bert", "--email=old@example.com")
    return site


def test_an_administrator_lets_users_come_from_the_directory(
    site: Site, admin_page: Page, directory: Directory, dns: list[str]
) -> None:
    page = admin_page
    page.goto(f"{site.url}{SETTINGS}")
    page.click("#section-netlogon > summary")
    page.click("#part-directory_sync > summary")
    page.get_by_label("Base DN of the users").fill(OU)
    page.get_by_role("button", name="As in Active Directory").click()
    expect(page.get_by_label("Filter of the users")).to_have_value(
        "(&(objectCategory=person)(objectClass=user))"
    )
    page.get_by_role("button", name="As in any directory").click()
    look(page, "directory-settings")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#part-directory_sync")).to_have_attribute("open", "")

    page.get_by_role("link", name="Preview and runs").click()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("This is what a run would do.")).to_be_visible()
    expect(
        page.get_by_text("This PBX user becomes one with the entry.")
    ).to_be_visible()
    look(page, "directory-preview")

    page.get_by_role("link", name="Do this now").click()
    expect(page.get_by_text("1 PBX user that is here already")).to_be_visible()
    look(page, "directory-confirm")
    page.get_by_role("button", name="Change them now").click()
    expect(page.get_by_text("The users are as the directory has them.")).to_be_visible()
    look(page, "directory-done")
    assert "frieda,Frieda Müller,frieda@example.com" in site.manage(
        "pbxusers", "export"
    )

    for dn in dns[:4]:
        directory.remove(dn)
    page.get_by_role("link", name="All runs").click()
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("4 of 6 users would be deactivated")).to_be_visible()
    look(page, "directory-stop")
    page.get_by_role("link", name="Deactivate 4 users").click()
    page.get_by_role("button", name="Change them now").click()
    expect(page.get_by_text("The users are as the directory has them.")).to_be_visible()
    assert site.manage("pbxusers", "export").count(",0\n") == 4

    page.goto(f"{site.url}{SETTINGS}users-from-directory/")
    look(page, "directory-runs")
    page.goto(f"{site.url}/admin/")
    expect(page.get_by_role("heading", name="Users from the directory")).to_be_visible()
    look(page, "directory-overview")
    page.goto(f"{site.url}/admin/users/pbxuser/?q=emil")
    page.get_by_role("link", name="emil").first.click()
    expect(page.get_by_label("E-mail address")).to_be_disabled()
    look(page, "directory-user")

    site.manage("authconfig", "set", f"directory_sync_base={CROWD}")
    page.goto(f"{site.url}{SETTINGS}users-from-directory/")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("This is what a run would do.")).to_be_visible()
    page.get_by_role("link", name="Do this now").click()
    page.get_by_role("button", name="Change them now").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_text("The users are as the directory has them.")).to_be_visible()
    assert site.manage("pbxusers", "export").count("person") >= MANY
