"""Users from 389 Directory Server and Samba, and 20,000 of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import ldap
import pytest
from ldap.modlist import addModlist

from authconfig.sync import runs
from authconfig.sync.choices import Reason, Trigger
from authconfig.sync.directory import searches
from authconfig.sync.models import SyncedUser, SyncItem, SyncPlace, SyncRun
from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter
from tests.support.certificates import make_authority
from tests.support.crowds import CROWD, crowd, dn_of, name_of
from tests.support.directory import (
    GROUPS,
    SERVICE,
    USERS,
    Directory,
    running_directory,
)
from tests.support.directory_389 import Directory389, running_389
from tests.support.samba import Samba, running_samba

pytestmark = [pytest.mark.django_db, pytest.mark.long]
MANY, SOME = 20_000, 2500


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
        # Its own name would be the long one, where no displayName is.
        own = dns[0].partition(",")[0]
        administrator.rename_s(dns[0], own, "CN=Computers" + _below(dns[0]))
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


# What happens in companies, with thousands of people.


@dataclass(frozen=True)
class Crowd:
    """`connect` logs in as whoever may change everything."""

    count: int
    settings: dict[str, Any]
    connect: Callable[[], AbstractContextManager[Any]]
    name: str

    def change(self, number: int, **values: str) -> None:
        changes = [(ldap.MOD_REPLACE, k, v.encode()) for k, v in values.items()]
        with self.connect() as root:
            root.modify_s(dn_of(number), changes)

    def add(self, dn: str, **values: str | list[str]) -> None:
        lists = {k: [v] if isinstance(v, str) else v for k, v in values.items()}
        encoded = {k: [v.encode() for v in each] for k, each in lists.items()}
        with self.connect() as root:
            root.add_s(dn, addModlist(encoded))

    def user(self, number: int) -> PbxUser:
        return PbxUser.objects.get(name=name_of(number))


@pytest.fixture(scope="module", params=["OpenLDAP", "389"])
def company(request: pytest.FixtureRequest) -> Crowd:
    if request.param == "OpenLDAP":
        large: Directory = request.getfixturevalue("large")
        return Crowd(MANY, large.settings(), large.as_root, "sAMAccountName")
    server: Directory389 = request.getfixturevalue("server_389")
    found = Crowd(SOME, server.settings(), server.as_manager, "uid")
    # As docs/active-directory.md has it; it sends 2,000 entries at most otherwise.
    server.change(SERVICE, nsSizeLimit="-1", nsPagedSizeLimit="-1")
    server.change(SERVICE, nsLookThroughLimit="-1")
    found.add(CROWD, objectClass="organizationalUnit")
    found.add(GROUPS, objectClass="organizationalUnit")
    with found.connect() as manager:
        for number in range(SOME):
            manager.add_s(dn_of(number), addModlist(_person(number)))
    return found


def _person(number: int) -> dict[str, list[bytes]]:
    name = name_of(number)
    values = {
        "objectClass": "inetOrgPerson",
        "cn": name,
        "sn": name,
        "uid": name,
        "displayName": f"Jürgen Öztürk {number}",
        "mail": f"{name}@example.com",
        "telephoneNumber": f"+49 711 5{number:05}",
    }
    return {key: [value.encode()] for key, value in values.items()}


NUMBERS = (
    "name=sAMAccountName|uid, long_name=displayName, email=mail,"
    " number=telephoneNumber /5(\\d{5})$/"
)


def test_a_company_comes_and_changes(company: Crowd, configure: SettingsSetter) -> None:
    own = {"directory_sync_base": CROWD, "directory_sync_attributes": NUMBERS}
    configure(**(company.settings | own))

    assert by_schedule() == {"added": company.count}
    assert company.user(7).long_name == "Jürgen Öztürk 7"
    assert company.user(7).number == "00007"
    assert by_schedule() == {}
    assert SyncRun.objects.latest("pk").found == company.count

    for number in range(50):
        company.change(number, displayName=f"Änne Groß {number}")
    assert by_schedule() == {"changed": 50}

    _rename_and_move(company)
    _replace(company)
    _share_a_number(company)
    _leave_a_group(company, configure)


def _rename_and_move(company: Crowd) -> None:
    renamed, moved = company.user(60), company.user(61)
    # 389 takes no umlauts in a uid.
    name = "jörg.öz" if company.name == "sAMAccountName" else "joerg.oez"
    company.change(60, **{company.name: name})
    company.add(f"ou=Sales,{CROWD}", objectClass="organizationalUnit")
    with company.connect() as root:
        root.rename_s(dn_of(61), "cn=Moved", f"ou=Sales,{CROWD}")

    assert by_schedule() == {"renamed": 1}
    assert PbxUser.objects.get(name=name) == renamed
    assert company.user(61) == moved


def _replace(company: Crowd) -> None:
    """Somebody leaves, and the name is given to another person."""
    with company.connect() as root:
        ((_dn, values),) = root.search_s(dn_of(62), ldap.SCOPE_BASE)
        root.delete_s(dn_of(62))
        root.add_s(f"cn=Another,{CROWD}", addModlist(values | {"cn": [b"Another"]}))

    assert by_schedule() == {"deactivated": 1, "refused": 1}
    assert not company.user(62).is_active
    refused = SyncItem.objects.get(run=SyncRun.objects.latest("pk"), change="refused")
    assert (refused.name, refused.reason) == (name_of(62), Reason.FORMER_USER)


def _share_a_number(company: Crowd) -> None:
    company.change(63, telephoneNumber="+49 711 500064")

    # Whoever was refused is looked at again.
    assert by_schedule() == {"refused": 2}
    refused = SyncItem.objects.filter(run=SyncRun.objects.latest("pk"))
    assert set(refused.values_list("name", "reason")) == {
        (name_of(62), Reason.FORMER_USER),
        (name_of(63), Reason.NUMBER_TAKEN),
    }
    assert (company.user(63).number, company.user(64).number) == ("00063", "00064")


def _leave_a_group(company: Crowd, configure: SettingsSetter) -> None:
    """All but two are members, three groups deep."""
    names = [f"cn=deep{number},{GROUPS}" for number in range(3)]
    numbers = set(range(company.count)) - {60, 61, 62, 70, 71}
    people = [dn_of(number) for number in sorted(numbers)]
    people += [dn_of(60), f"cn=Moved,ou=Sales,{CROWD}"]
    for dn, members in zip(names, ([names[1]], [names[2]], people), strict=True):
        company.add(dn, objectClass="groupOfNames", member=members)
    configure(directory_sync_group=names[0])

    found = by_schedule()
    assert found["deactivated"] == 2
    gone = PbxUser.objects.filter(is_active=False).exclude(name=name_of(62))
    assert set(gone.values_list("name", flat=True)) == {name_of(70), name_of(71)}
    assert SyncRun.objects.latest("pk").found == company.count - 3
