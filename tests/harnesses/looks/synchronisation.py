"""Users who come from elsewhere: from a real directory, and from a provider by SCIM."""

from __future__ import annotations

from collections.abc import Callable

from tests.harnesses.looks.stories import SETTINGS, USERS, Looker, configure
from tests.support.certificates import make_authority
from tests.support.directory import BASE, Directory, running_directory
from tests.support.scim_provider import Provider
from tests.support.site import Site

OU = f"ou=Telephones,{BASE}"
NAMES = (
    *("anna", "bert", "clara", "dora", "emil", "frieda"),
    *("gerd", "hanna", "ida", "jakob", "karla", "leo"),
)
FROM_DIRECTORY = f"{SETTINGS}users-from-directory/"
BY_SCIM = f"{SETTINGS}users-by-scim/"
# A run of many users, in the middle; then it is gone.
BEGIN = """
from datetime import timedelta
from django.utils import timezone
from authconfig.sync.models import SyncRun
now = timezone.now()
run = SyncRun.objects.create(trigger="page", state="running", started_at=now,
    lease_until=now + timedelta(hours=1), phase="writing", progress=7500, total=20000)
print(run.public_id)
"""
END = """
from authconfig.sync.models import SyncRun
SyncRun.objects.filter(state="running").delete()
"""


def directory(looker: Looker) -> None:
    """A preview, a confirmation, a run, and one that stops."""
    with running_directory(make_authority("Example CA")) as running:
        dns = fill(running)
        let_come(looker.site, running)
        # Another part of the page that is open already would not load it anew.
        looker.goto("/admin/")
        looker.goto(f"{SETTINGS}#part-directory_sync")
        # What is in use stands open already.
        for part in ("#section-netlogon", "#part-directory_sync"):
            looker.page.locator(part).evaluate("part => { part.open = true }")
        looker.look("directory-settings", part="#section-netlogon")
        looker.goto(FROM_DIRECTORY)
        looker.look("directory-no-run")
        looker.press('button[value="preview"]')
        await_end(looker)
        looker.look("directory-preview")
        confirm(looker, "directory")
        configure(looker.site, {"directory_sync": "on"})
        in_progress(looker)
        for dn in dns[:8]:
            running.remove(dn)
        looker.goto(FROM_DIRECTORY)
        looker.press('button[value="run"]')
        await_end(looker)
        looker.look("directory-stop")
        looker.look_at({"overview-directory": "/admin/"})
        looker.page.go_back()
        confirm(looker, "directory-stop")
    looker.look_at({"directory-runs": FROM_DIRECTORY})
    looker.goto(f"{USERS}?q=leo")
    looker.press("#result_list tbody th a")
    looker.look("directory-user")


def fill(running: Directory) -> list[str]:
    running.empty(OU)
    return [
        running.add_user(
            name,
            ou=OU,
            displayName=f"{name.title()} Müller",
            mail=f"{name}@example.com",
            telephoneNumber="+49 711 555" if name == "leo" else f"+49 711 55{at}",
        )
        for at, name in enumerate(NAMES)
    ]


def let_come(site: Site, running: Directory) -> None:
    (site.data_dir / "ca.pem").write_text(running.ca_pem)
    values = running.settings(
        netlogon_ca_certificate=f"@{site.data_dir}/ca.pem",
        # Switched on after a preview: otherwise a run follows at once by itself.
        directory_sync="off",
        directory_sync_base=OU,
    )
    configure(site, {key: str(value) for key, value in values.items()})
    site.add_user("bert", "--email=old@example.com")


def await_end(looker: Looker) -> None:
    looker.page.wait_for_selector("#sync-items:not([hidden])")


def confirm(looker: Looker, name: str) -> None:
    looker.press('a[href*="/confirm/"]')
    looker.look(f"{name}-confirm")
    looker.press("#content button[type=submit]")
    await_end(looker)
    looker.look(f"{name}-done")


def in_progress(looker: Looker) -> None:
    made = looker.site.manage("shell", "-v0", "-c", BEGIN).split()[-1]
    looker.goto(f"{FROM_DIRECTORY}{made}/")
    looker.look("directory-in-progress")
    looker.site.manage("shell", "-v0", "-c", END)


def scim(looker: Looker) -> None:
    """A key, what the provider writes, a preview, and somebody who is let go."""
    looker.goto(BY_SCIM)
    looker.look("scim-fresh")
    looker.press('a[href$="/key/make/"]')
    looker.look("scim-key-make")
    looker.press("#content button[type=submit]")
    looker.look("scim-key")
    provider = Provider(looker.site.url, looker.page.input_value("#shown-once"))
    made = [provider.add(f"{name}.berg") for name in NAMES]
    looker.look_at({"scim": BY_SCIM, "overview-scim": "/admin/"})
    looker.goto(BY_SCIM)
    looker.press('button[value="preview"]')
    await_end(looker)
    looker.look("scim-preview")
    confirm(looker, "scim")
    for public_id in made[:8]:
        provider.let_go(public_id)
    looker.look_at({"scim-stop": BY_SCIM})
    looker.press('a[href$="/key/revoke/"]')
    looker.look("scim-key-revoke")


STORIES: dict[str, Callable[[Looker], None]] = {"directory": directory, "scim": scim}
