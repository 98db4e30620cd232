"""Users from 389 Directory Server and Samba, and 20,000 of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import ldap
import pytest

from authconfig.sync import runs
from authconfig.sync.choices import Trigger
from authconfig.sync.directory import searches
from authconfig.sync.models import SyncedUser, SyncPlace, SyncRun
from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter
from tests.support.certificates import make_authority
from tests.support.crowds import CROWD, crowd
from tests.support.directory import USERS, Directory, running_directory
from tests.support.directory_389 import Directory389, running_389
from tests.support.samba import Samba, running_samba

pytestmark = [pytest.mark.django_db, pytest.mark.long]
MANY = 20_000


@pytest.fixture(scope="module")
def server_389() -> Iterator[Directory389]:
    with running_389() as running:
        yield running


@pytest.fixture(scope="module")
def samba() -> Iterator[Samba]:
    with running_samba(make_authority("Example AD CA")) as running:
        yield running


@pytest.fixture(scope="module")
def large() -> Iterator[Directory]:
    with running_directory(make_authority("Crowd CA")) as directory:
        directory.load(crowd(MANY))
        yield directory


def by_schedule() -> dict[str, int]:
    run = runs.ask_for(Trigger.SCHEDULE)
    runs.work(run)
    run.refresh_from_db()
    assert not run.fault, (run.stage, run.fault, run.words)
    names = ("added", "changed", "renamed", "deactivated", "reactivated", "refused")
    return {name: value for name in names if (value := getattr(run, name))}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The filters of all pages."""
    filters: list[str] = []
    page: Callable[..., Any] = searches.Searches._page

    def note(self: Any, base: str, filter_: str, *words: Any) -> Any:
        filters.append(filter_)
        return page(self, base, filter_, *words)

    monkeypatch.setattr(searches.Searches, "_page", note)
    return filters


def test_389_tells_who_its_users_are(
    server_389: Directory389, configure: SettingsSetter, asked: list[str]
) -> None:
    dns = [server_389.add_user(f"frank{number}") for number in range(5)]
    configure(
        **server_389.settings(
            directory_sync_base=USERS, directory_sync_filter="(uid=frank*)"
        )
    )
    assert by_schedule() == {"added": 5}
    assert len(SyncedUser.objects.values("identity").distinct()) == 5
    # Times have seconds: what changes within one is read once more.
    time.sleep(1.1)

    server_389.change(dns[0], mail="frank@example.com")
    server_389.change(dns[1], nsAccountLock="TRUE")
    with server_389.as_manager() as manager:
        manager.rename_s(dns[2], "uid=franz")
        manager.delete_s(dns[3])
    server_389.add_user("frank9")
    configure(directory_sync_filter="(uid=fran*)")

    assert by_schedule() == {
        "added": 1,
        "changed": 1,
        "renamed": 1,
        "deactivated": 2,
    }
    server_389.change(dns[1], nsAccountLock="FALSE")
    asked.clear()
    assert by_schedule() == {"reactivated": 1}
    assert any("modifyTimestamp>=" in each for each in asked)


def test_samba_tells_who_its_users_are(
    samba: Samba, configure: SettingsSetter, asked: list[str]
) -> None:
    dns = [samba.add_user(f"frieda{number}") for number in range(4)]
    settings = samba.with_service() | {"directory_sync_filter": FRIEDAS}
    configure(**settings)
    assert by_schedule() == {"added": 4}
    place = SyncPlace.objects.get()
    assert place.mark.isdecimal()

    samba.change(dns[0], mail="frieda@example.com")
    samba.change(dns[1], userAccountControl="514")
    samba.change(dns[2], sAMAccountName="friederike")
    asked.clear()
    assert by_schedule() == {"changed": 1, "renamed": 1, "deactivated": 1}
    assert any("uSNChanged>=" in each for each in asked)

    with samba.as_administrator() as administrator:
        administrator.rename_s(
            dns[0], "CN=Frieda Moved", "CN=Computers" + _below(dns[0])
        )
    assert by_schedule() == {}

    SyncPlace.objects.update(server="another controller")
    asked.clear()
    assert by_schedule() == {}
    assert not any("uSNChanged>=" in each for each in asked)


FRIEDAS = "(&(objectCategory=person)(objectClass=user)(sAMAccountName=fried*))"


def _below(dn: str) -> str:
    return dn[dn.index(",DC=") :]


def test_a_group_of_samba_has_its_members_by_ranges(
    samba: Samba, configure: SettingsSetter
) -> None:
    """It sends 1,500 members at once, as Active Directory does."""
    count = 1600
    base = _below(samba.add_user("gisela"))[1:]
    with samba.as_administrator() as administrator:
        members = []
        for number in range(count):
            dn = f"CN=contact{number},CN=Users,{base}"
            administrator.add_s(dn, [("objectClass", b"contact")])
            members.append(dn.encode())
        members.append(f"CN=gisela,CN=Users,{base}".encode())
        group = f"CN=large,CN=Users,{base}"
        administrator.add_s(group, [("objectClass", b"group"), ("member", members)])
    configure(**(samba.with_service() | {"directory_sync_group": group}))

    assert by_schedule() == {"added": 1}
    assert PbxUser.objects.get().name == "gisela"


def test_20_000_users_come_and_change(
    large: Directory, configure: SettingsSetter
) -> None:
    configure(**large.settings(directory_sync_base=CROWD))
    assert by_schedule() == {"added": MANY}
    assert by_schedule() == {}
    with large.as_root() as root:
        for number in range(50):
            dn = f"cn=person{number:05},{CROWD}"
            root.modify_s(dn, [(ldap.MOD_REPLACE, "displayName", b"Somebody")])
    assert by_schedule() == {"changed": 50}
    assert SyncRun.objects.latest("pk").found == MANY
