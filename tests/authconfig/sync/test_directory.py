"""Users from a real OpenLDAP, by `manage.py directory sync`."""

from __future__ import annotations

from typing import Any

import ldap
import pytest

from authconfig.choices import Event
from authconfig.directory.backend import DirectoryConnection
from authconfig.sync import leases, runs
from authconfig.sync.choices import RunState, Trigger
from authconfig.sync.models import SyncedUser, SyncPlace, SyncRun
from authconfig.users.models import AuditEvent, PbxUser
from tests.authconfig.sync.conftest import NAMES, OU, Sync
from tests.conftest import PASSWORD, SettingsSetter
from tests.support.browsers import sign_in
from tests.support.directory import BASE, BLIND, GROUPS, Directory
from verification.approval.choices import Ending
from verification.approval.models import LoginSession
from verification.mail.models import OutgoingEmail

pytestmark = pytest.mark.django_db


def user(name: str) -> PbxUser:
    return PbxUser.objects.get(name=name)


def test_a_preview_says_everything_and_changes_nothing(
    five: list[str], sync: Sync
) -> None:
    assert sync("--dry-run") == {"added": ["anna", "bert", "clara", "dora", "emil"]}
    assert not PbxUser.objects.exists()
    assert not SyncedUser.objects.exists()
    assert not SyncPlace.objects.exists()


def test_adds_users_with_what_the_directory_says(people: Directory, sync: Sync) -> None:
    people.add_user(
        "jürgen",
        ou=OU,
        displayName="Jürgen Öz",
        mail="j@example.com",
        telephoneNumber="42",
    )

    assert sync() == {"added": ["jürgen"]}
    made = user("jürgen")
    assert (made.long_name, made.email, made.number) == (
        "Jürgen Öz",
        "j@example.com",
        "42",
    )
    assert made.is_active
    assert not made.has_usable_password()
    assert not made.is_staff


def test_a_second_run_finds_nothing_to_do(five: list[str], sync: Sync) -> None:
    sync()

    assert sync() == {}


def test_a_rename_and_a_move_keep_the_user(
    people: Directory, five: list[str], sync: Sync
) -> None:
    sync()
    before = user("anna")
    with people.as_root() as root:
        root.modify_s(five[0], [(ldap.MOD_REPLACE, "sAMAccountName", b"anna.berg")])
        root.add_s(
            f"ou=Sales,{OU}", [("objectClass", b"organizationalUnit"), ("ou", b"Sales")]
        )
        root.rename_s(five[0], "cn=Anna Berg", f"ou=Sales,{OU}")

    assert sync() == {"renamed": ["anna.berg"]}
    assert user("anna.berg").pk == before.pk


def test_a_removal_ends_the_sessions_and_deletes_nobody(
    people: Directory, five: list[str], sync: Sync
) -> None:
    sync()
    emil = user("emil")
    emil.set_password(PASSWORD)
    emil.save()
    browser = sign_in(emil)
    people.remove(five[4])

    assert sync() == {"deactivated": ["emil"]}
    assert not user("emil").is_active
    assert browser.get("/account/").status_code == 302


def test_a_disabled_account_counts_as_removed_until_it_is_enabled(
    people: Directory, five: list[str], sync: Sync
) -> None:
    sync()
    people.change(five[1], userAccountControl="514")
    assert sync() == {"deactivated": ["bert"]}

    people.change(five[1], userAccountControl="512")

    assert sync() == {"reactivated": ["bert"]}
    assert user("bert").is_active


def test_a_new_entry_with_an_old_name_is_refused(
    people: Directory, five: list[str], sync: Sync
) -> None:
    sync()
    people.remove(five[2])
    people.add_user("clara", ou=OU)

    assert sync() == {"deactivated": ["clara"], "refused": ["clara"]}
    assert sync() == {"refused": ["clara"]}
    assert not user("clara").is_active


def test_two_entries_with_one_number_are_both_refused(
    people: Directory, sync: Sync
) -> None:
    for name in ("anna", "bert"):
        people.add_user(name, ou=OU, telephoneNumber="42")

    assert sync() == {"refused": ["anna", "bert"]}


def test_a_group_nested_three_deep_decides(
    people: Directory, five: list[str], sync: Sync, netlogon: SettingsSetter
) -> None:
    outer, middle, inner = (f"cn=level{n},{GROUPS}" for n in range(3))
    for dn, members in (
        (outer, [middle, five[0]]),
        (middle, [inner]),
        (inner, [five[1].upper(), outer]),
    ):
        people.forget(dn)
        people.add(dn, objectClass="groupOfNames", member=members)
    netlogon(directory_sync_base=OU, directory_sync_group=outer)

    assert sync() == {"added": ["anna", "bert"]}

    people.change(inner, member=[five[2]])
    assert sync() == {"added": ["clara"], "deactivated": ["bert"]}


def test_an_existing_user_is_linked_after_a_preview_alone(
    five: list[str], sync: Sync
) -> None:
    PbxUser.objects.create_user("anna", PASSWORD, email="old@example.com")
    rest = ["bert", "clara", "dora", "emil"]

    assert sync() == {"added": rest, "refused": ["anna"]}
    assert sync("--dry-run") == {"changed": ["anna"]}
    assert sync() == {"changed": ["anna"]}
    anna = user("anna")
    assert anna.email == "anna@example.com"
    assert anna.check_password(PASSWORD)
    assert anna.synced


def test_many_removals_stop_until_they_are_confirmed(
    people: Directory, five: list[str], sync: Sync
) -> None:
    sync()
    for dn in five[1:]:
        people.remove(dn)
    people.add_user("frieda", ou=OU)

    said = sync()
    assert said["exit"] == 1
    assert said["added"] == ["frieda"]
    assert said["stopped"].startswith("4 of 5 users would be deactivated at once")
    assert PbxUser.objects.filter(is_active=True).count() == 6
    assert sync("--allow-removals", "3")["exit"] == 1

    assert sync("--allow-removals", "4") == {
        "deactivated": ["bert", "clara", "dora", "emil"]
    }


def test_a_disabled_account_that_a_stop_kept_is_seen_again(
    people: Directory, five: list[str], sync: Sync
) -> None:
    sync()
    for dn in five[1:]:
        people.change(dn, userAccountControl="514")
    sync()

    assert SyncedUser.objects.filter(look_again_at__isnull=False).count() == 4


def test_a_right_that_the_service_account_lost_empties_nothing(
    people: Directory, five: list[str], sync: Sync, netlogon: SettingsSetter
) -> None:
    sync()
    netlogon(directory_sync_base=OU, netlogon_bind_dn=BLIND)
    people.change(five[0], displayName="Anna Other")

    said = sync()

    assert (said["exit"], said["changed"]) == (1, ["anna"])
    for field in ("E-mail address", "Extension number"):
        words = f"“{field}” would be empty for 5 of 5 users at once, so it stays."
        assert words in said["stopped"]
    assert "may no longer read the attribute" in said["stopped"]
    assert (user("anna").long_name, user("anna").number) == ("Anna Other", "40")
    assert not PbxUser.objects.filter(email="").exists()
    # Even where no entry changes, the next run by itself asks for it again.
    assert by_schedule() == (RunState.STOPPED, 0)

    assert sync("--allow-removals", "4")["exit"] == 1
    assert len(sync("--allow-removals", "5")["changed"]) == 5
    assert not PbxUser.objects.exclude(email="", number="").exists()


def by_schedule() -> tuple[str, int]:
    run = runs.ask_for(Trigger.SCHEDULE)
    runs.work(run)
    run.refresh_from_db()
    return run.state, run.changed


def test_addresses_of_many_change_after_a_confirmation_alone(
    people: Directory, five: list[str], sync: Sync
) -> None:
    sync()
    for name, dn in zip(NAMES, five, strict=True):
        people.change(dn, mail=f"{name}@new.example")

    said = sync()
    words = "“E-mail address” would change for 5 of 5 users at once, so it stays."
    assert said["stopped"].startswith(words)
    assert user("anna").email == "anna@example.com"

    assert len(sync("--allow-removals", "5")["changed"]) == 5
    assert user("anna").email == "anna@new.example"


def test_the_old_address_is_told_once_a_day_and_a_login_that_waits_ends(
    people: Directory, five: list[str], held: LoginSession, sync: Sync
) -> None:
    sync("--dry-run")
    sync()
    assert held.user == SyncedUser.objects.get(user__name="anna").user
    for mail in ("other@example.com", "anna@example.com", "third@example.com"):
        people.change(five[0], mail=mail)
        assert sync() == {"changed": ["anna"]}

    told = OutgoingEmail.objects.filter(kind="address").order_by("pk")
    assert [mail.recipient for mail in told] == [
        "anna@example.com",
        "other@example.com",
    ]
    held.refresh_from_db()
    assert held.status == Ending.NEW_ADDRESS


def test_swapped_numbers_and_names_are_written_together(
    people: Directory, five: list[str], sync: Sync
) -> None:
    sync()
    pks = user("anna").pk, user("bert").pk
    people.change(five[0], sAMAccountName="bert", telephoneNumber="41")
    people.change(five[1], sAMAccountName="anna", telephoneNumber="40")

    assert sync() == {"renamed": ["bert", "anna"]}
    assert (user("bert").pk, user("anna").pk) == pks
    assert (user("bert").number, user("anna").number) == ("41", "40")


def test_the_group_of_administrators_gives_and_takes_rights(
    people: Directory, five: list[str], sync: Sync, netlogon: SettingsSetter
) -> None:
    group = f"cn=admins,{GROUPS}"
    people.forget(group)
    people.add(group, objectClass="groupOfNames", member=[five[0]])
    netlogon(directory_sync_base=OU, directory_sync_admin_group=group)
    sync()
    assert user("anna").is_superuser
    assert not user("bert").is_staff

    people.change(group, member=[five[1]])

    assert sync() == {"changed": ["anna", "bert"]}
    assert not user("anna").is_staff
    assert user("bert").is_superuser
    # What an administrator gives from now on no run takes.
    assert not user("anna").synced.has_rights_of_group
    assert user("bert").synced.has_rights_of_group


def test_the_audit_log_has_each_change_and_the_run(five: list[str], sync: Sync) -> None:
    sync()

    events = AuditEvent.objects.filter(event=Event.USER_CHANGED)
    assert events.count() == 5
    assert set(events.values_list("detail", flat=True)) == {"directory: added"}
    run = AuditEvent.objects.get(event=Event.DIRECTORY_SYNCED)
    assert run.detail == "done, 5 added"


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ("name=userPrincipalName /^([^@]+)@/", {"name": "anna"}),
        ("name=sAMAccountName; email=mail|cn", {"email": "anna@example.com"}),
        ("name=uid|sAMAccountName\nnumber=telephoneNumber /.$/", {"number": "0"}),
        ("name=sAMAccountName, long_name=cn", {"long_name": "Anna", "number": ""}),
    ],
)
def test_attributes_become_what_the_rules_say(
    wishes: str,
    expected: dict[str, Any],
    five: list[str],
    sync: Sync,
    netlogon: SettingsSetter,
) -> None:
    netlogon(
        directory_sync_base=OU,
        directory_sync_attributes=wishes,
        directory_sync_filter="(sAMAccountName=anna)",
    )

    assert sync() == {"added": ["anna"]}
    anna = user("anna")
    assert {name: getattr(anna, name) for name in expected} == expected


def test_a_second_run_at_a_time_does_not_begin(five: list[str], sync: Sync) -> None:
    other = runs.ask_for(Trigger.PAGE)
    assert leases.take(other)

    said = sync()

    assert said.keys() == {"stopped", "exit"}
    assert "Another run goes on" in said["stopped"]
    assert list(SyncRun.objects.all()) == [other]
    # A preview changes nothing, and so may go on beside it.
    assert len(sync("--dry-run")["added"]) == 5


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "service account refused": (
        {"netlogon_bind_password": "wrong"},
        "the directory refuses the service account",
    ),
    "no service account": ({"netlogon_bind_dn": ""}, "no service account is set"),
    "wrong base": ({"directory_sync_base": f"ou=None,{BASE}"}, "the base DN does not"),
    "no such group": (
        {"directory_sync_group": f"cn=nobody,{GROUPS}"},
        "the required group does not exist",
    ),
    "nobody answers": ({"netlogon_servers": "127.0.0.1:1"}, "takes no connection"),
    "nobody matches": ({"directory_sync_filter": "(cn=nobody)"}, "No entry of the"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_deactivates_nobody(
    fault: str, five: list[str], sync: Sync, netlogon: SettingsSetter
) -> None:
    sync()
    settings, words = FAULTS[fault]
    netlogon(**({"directory_sync_base": OU} | settings))

    said = sync()

    assert said.keys() == {"stopped", "exit"}
    assert words in said["stopped"]
    assert PbxUser.objects.filter(is_active=True).count() == 5
    assert SyncRun.objects.latest("pk").deactivated == 0


def test_whoever_does_not_see_the_base_sees_nobody_go(
    five: list[str], sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Active Directory shows an account without rights nothing, and no error."""
    sync()
    search = DirectoryConnection.search_s

    def blind(self: Any, base: str, *words: Any, **more: Any) -> Any:
        return [] if base == OU else search(self, base, *words, **more)

    monkeypatch.setattr(DirectoryConnection, "search_s", blind)

    assert "the search is not permitted" in sync()["stopped"]
