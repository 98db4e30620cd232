"""The pages of the users from the directory, without a directory: runs are rows."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.utils import timezone, translation

from authconfig.models import current_rules
from authconfig.sync import runs
from authconfig.sync.choices import Change, Reason, RunState, Stop, Trigger
from authconfig.sync.models import SyncedUser, SyncFieldStop, SyncItem, SyncRun
from authconfig.users.csv_file import parse
from authconfig.users.models import PbxUser
from pbxsite.administration.directory_runs.state import sync_state
from pbxsite.administration.users.user_import import UserImport
from tests.conftest import SettingsSetter
from verification.password_links import invitations

PAGE = "/admin/authconfig/authenticationsettings/users-from-directory/"
SERVICE = {
    "netlogon_domain": "ad.example.com",
    "netlogon_bind_dn": "cn=service",
    "netlogon_bind_password": "secret",
}
pytestmark = pytest.mark.django_db


def ended(state: RunState = RunState.DONE, **facts: Any) -> SyncRun:
    values = {"trigger": Trigger.PAGE, "ended_at": timezone.now()} | facts
    return SyncRun.objects.create(state=state, **values)


def item(run: SyncRun, change: Change, name: str, **facts: Any) -> SyncItem:
    return SyncItem.objects.create(
        run=run, change=change, name=name, identity=name, **facts
    )


@pytest.fixture
def preview() -> SyncRun:
    run = ended(is_preview=True, stop=Stop.TOO_MANY, kept=4, active=9)
    item(run, Change.ADDED, "anna")
    item(run, Change.CHANGED, "bert", detail="email: a → b", is_linked=True)
    item(run, Change.DEACTIVATED, "clara", is_kept=True)
    item(run, Change.REFUSED, "=dora", reason=Reason.NO_NAME)
    return run


def test_a_button_begins_a_run_and_leads_to_its_page(admin: Browser) -> None:
    answer = admin.post(f"{PAGE}begin/", {"what": "preview"})

    run = SyncRun.objects.get()
    assert answer["Location"] == f"{PAGE}{run.public_id}/"
    assert (run.is_preview, run.state, run.trigger) == (True, "waiting", "page")
    assert run.actor
    assert "It waits for a worker." in admin.get(answer["Location"]).text


def test_a_preview_shows_who_and_why(admin: Browser, preview: SyncRun) -> None:
    page = admin.get(f"{PAGE}{preview.public_id}/").text

    assert "4 of 9 users would be deactivated at once" in page
    assert "This PBX user becomes one with the entry." in page
    assert "The entry has no name." in page
    assert "Kept: too many at once." in page
    # As the tile and in its row: nobody was.
    assert page.count("Not deactivated") == 2
    assert ">Deactivated<" not in page


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("change=added", {"anna"}),
        ("q=ER", {"bert"}),
        ("change=refused&q=x", set()),
        ("change=nonsense", {"anna", "bert", "clara", "=dora"}),
        ("page=99", {"anna", "bert", "clara", "=dora"}),
    ],
)
def test_the_list_is_filtered(
    query: str, shown: set[str], admin: Browser, preview: SyncRun
) -> None:
    page = admin.get(f"{PAGE}{preview.public_id}/live/?{query}").text

    names = ("anna", "bert", "clara", "=dora")
    assert {n for n in names if f'<th scope="row">{n}</th>' in page} == shown


def test_the_file_has_what_the_filter_leaves_and_no_formula(
    admin: Browser, preview: SyncRun
) -> None:
    text = admin.get(f"{PAGE}{preview.public_id}/csv/?change=refused").text

    head, row = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    assert head == ["change", "name", "detail", "reason"]
    assert row[:2] == ["refused", "'=dora"]


@pytest.mark.parametrize(
    ("query", "allowed", "words"),
    [
        ("", None, "Nobody is deactivated"),
        ("?removals=yes", 4, "4 users are deactivated, and their sessions end at once"),
    ],
)
def test_a_preview_is_confirmed(
    query: str, allowed: int | None, words: str, admin: Browser, preview: SyncRun
) -> None:
    address = f"{PAGE}{preview.public_id}/confirm/{query}"

    assert words in admin.get(address).text
    assert SyncRun.objects.count() == 1
    admin.post(address)

    run = SyncRun.objects.latest("pk")
    assert (run.is_preview, run.allowed_removals) == (False, allowed)
    assert runs.Work(run)._links() == {"bert"}


def stopped_fields(run: SyncRun) -> None:
    for name, is_emptied in (("number", True), ("email", False)):
        SyncFieldStop.objects.create(
            run=run, field=name, kept=5, had=9, is_emptied=is_emptied
        )


EMPTIED = "“Extension number” would be empty for 5 of 9 users at once, so it stays."
CHANGED = "“E-mail address” would change for 5 of 9 users at once, so it stays."


@pytest.mark.parametrize("is_preview", [True, False])
def test_values_that_many_would_lose_are_confirmed_by_themselves(
    is_preview: bool, admin: Browser
) -> None:
    facts = {"is_preview": is_preview, "stop": Stop.TOO_MANY, "kept": 4, "active": 9}
    run = ended(RunState.STOPPED, **facts)
    item(run, Change.CHANGED, "anna")
    item(run, Change.CHANGED, "bert", is_kept=True)
    stopped_fields(run)
    page = admin.get(f"{PAGE}{run.public_id}/").text
    assert EMPTIED in page
    assert CHANGED in page
    address = f"{PAGE}{run.public_id}/confirm/"
    assert f'href="{address}?fields=yes"' in page

    asked = admin.get(f"{address}?fields=yes").text
    assert ("Changed: 1" in asked) is is_preview
    assert "Extension number: emptied for 5 users." in asked
    assert "E-mail address: changed for 5 users, who are told at the old" in asked
    assert "Nobody is deactivated" in asked
    assert "E-mail address: stays" in admin.get(address).text

    for query, losses in (("fields=yes", {"number": 5, "email": 5}), ("", {})):
        admin.post(f"{address}?{query}")
        begun = SyncRun.objects.latest("pk")
        assert runs.Work(begun)._losses() == losses
        assert begun.allowed_removals is None
        begun.delete()


def test_no_run_by_itself_confirms_anything(db: None) -> None:
    stopped_fields(ended(RunState.STOPPED, stop=Stop.FIELDS))

    assert runs.Work(runs.ask_for(Trigger.SCHEDULE))._losses() == {}


def test_a_run_that_is_confirmed_links_nobody_once_more(admin: Browser) -> None:
    run = ended(RunState.STOPPED, stop=Stop.FIELDS)
    item(run, Change.CHANGED, "bert", is_linked=True)

    assert not runs.Work(runs.ask_for(Trigger.PAGE, preview=run))._links()


def test_an_older_preview_is_not_offered(admin: Browser, preview: SyncRun) -> None:
    assert "Do this now" in admin.get(f"{PAGE}{preview.public_id}/").text
    ended()

    assert "Do this now" not in admin.get(f"{PAGE}{preview.public_id}/").text
    answer = admin.post(f"{PAGE}{preview.public_id}/confirm/")
    assert answer["Location"] == PAGE
    assert SyncRun.objects.count() == 2


def test_an_old_session_confirms_nothing(admin: Browser, preview: SyncRun) -> None:
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        admin.post(f"{PAGE}{preview.public_id}/confirm/")
        admin.post(f"{PAGE}begin/", {"what": "run"})

    assert SyncRun.objects.count() == 1


@pytest.mark.parametrize(
    "path", ["", "begin/", "{}/", "{}/live/", "{}/csv/", "{}/confirm/"]
)
def test_only_who_may_change_the_settings_gets_in(
    path: str, admin: Browser, administrator: PbxUser, preview: SyncRun
) -> None:
    PbxUser.objects.update(is_superuser=False)
    address = PAGE + path.format(preview.public_id)

    assert admin.get(address).status_code == 403
    assert admin.post(address).status_code in (403, 405)
    assert SyncRun.objects.count() == 1


STATES: dict[str, tuple[RunState | None, dict[str, Any], timedelta, str, str]] = {
    "never": (None, {}, timedelta(), "No run yet.", ""),
    "well": (RunState.DONE, {}, timedelta(), "Last run 1\xa0minute ago.", ""),
    "late": (
        RunState.DONE,
        {},
        timedelta(hours=2),
        "Last run 2\xa0hours",
        "not been read",
    ),
    "failed": (
        RunState.FAILED,
        {"fault": "TIMEOUT", "stage": "connect"},
        timedelta(),
        "failed",
        "does not answer in time",
    ),
    "broken": (RunState.FAILED, {"fault": "BROKE"}, timedelta(), "failed", "log says"),
    "died": (RunState.FAILED, {"fault": "DIED"}, timedelta(), "failed", "worker ended"),
    "stopped": (
        RunState.STOPPED,
        {"stop": Stop.TOO_MANY, "kept": 4, "active": 9},
        timedelta(),
        "stopped",
        "4 of 9",
    ),
}


@pytest.mark.parametrize("case", STATES)
def test_the_overview_tells_how_the_last_run_ended(
    case: str, configure: SettingsSetter, admin: Browser
) -> None:
    configure(directory_sync=True, **SERVICE)
    state, facts, age, sentence, alarm = STATES[case]
    at = timezone.now() - age
    if state:
        ended(state, made_at=at, ended_at=at, **facts)

    found = sync_state(current_rules())

    assert found
    assert sentence in found.sentence
    assert alarm in found.alarm
    assert bool(alarm) == bool(found.alarm)
    page = admin.get("/admin/").text
    assert "Users from the directory" in page
    assert alarm in page


def test_the_overview_says_nothing_of_what_was_never_used(db: None) -> None:
    assert sync_state(current_rules()) is None


@pytest.fixture
def synced(user: PbxUser) -> PbxUser:
    SyncedUser.objects.create(user=user, identity="1")
    return user


def changed(admin: Browser, user: PbxUser, **fields: str) -> PbxUser:
    posted = {
        "name": user.name,
        "long_name": user.long_name,
        "email": user.email,
        "number": user.number,
        "is_active": "on",
    }
    address = f"/admin/users/pbxuser/{user.pk}/change/"
    answer = admin.post(address, posted | fields)
    assert answer.status_code == 302, answer.context["errors"]
    return PbxUser.objects.get(pk=user.pk)


def test_fields_of_the_directory_are_shown_as_such_and_keep_their_values(
    admin: Browser, synced: PbxUser
) -> None:
    page = admin.get(f"/admin/users/pbxuser/{synced.pk}/change/").text
    after = changed(admin, synced, name="other", email="x@y.example", language="de")

    assert page.count("From the directory: change it there.") == 4
    assert (after.name, after.email, after.language) == ("anna", synced.email, "de")


def test_fields_of_local_users_are_free(admin: Browser, user: PbxUser) -> None:
    assert changed(admin, user, email="x@y.example").email == "x@y.example"


def test_a_user_is_taken_from_the_directory(admin: Browser, synced: PbxUser) -> None:
    address = f"/admin/users/pbxuser/{synced.pk}/leave-directory/"
    assert (
        "Take from the directory"
        in admin.get(f"/admin/users/pbxuser/{synced.pk}/change/").text
    )

    admin.post(address)

    assert not SyncedUser.objects.exists()
    assert PbxUser.objects.filter(pk=synced.pk).exists()


@pytest.mark.parametrize("way", ["form", "action"])
def test_whom_an_administrator_deactivates_no_run_activates(
    way: str, admin: Browser, synced: PbxUser
) -> None:
    SyncedUser.objects.update(removed_at=timezone.now())

    if way == "form":
        changed(admin, synced, is_active="")
    else:
        admin.post(f"/admin/users/pbxuser/{synced.pk}/deactivate/")

    assert not PbxUser.objects.get(pk=synced.pk).is_active
    assert SyncedUser.objects.get().removed_at is None


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("anna,Anna Berg,anna@example.com,,0", ""),
        ("anna,Anna Berg,other@example.com,,1", "email"),
        ("anna,Anna Berg,anna@example.com,7,1", "number"),
    ],
)
def test_a_file_changes_nothing_that_comes_from_the_directory(
    line: str, fault: str, synced: PbxUser
) -> None:
    done = UserImport(parse(f"name,long_name,email,number,active\n{line}"))

    done.run(save=True)

    assert [each.column for each in done.faults] == ([fault] if fault else [])
    assert all("From the directory" in each.text for each in done.faults)


@pytest.mark.parametrize(("kind", "count"), [("pbx_only", 1), ("pbx_and_netlogon", 0)])
def test_only_who_needs_a_pbx_password_is_invited_to_set_one(
    kind: str, count: int, synced: PbxUser, configure: SettingsSetter
) -> None:
    configure(authentication_type=kind, **SERVICE)
    PbxUser.objects.update(password="!")

    assert invitations.without_password().count() == count


def test_the_settings_show_the_part_with_its_presets(
    admin: Browser, configure: SettingsSetter
) -> None:
    page = admin.get("/admin/authconfig/authenticationsettings/").text

    assert 'id="part-directory_sync"' in page
    for name in ("Active Directory", "OpenLDAP", "389 / FreeIPA"):
        assert f"As in {name}" in page


def test_a_run_is_no_order_in_german(admin: Browser) -> None:
    urls = (PAGE, f"{PAGE}{ended().public_id}/")
    with translation.override("de"):
        pages = [admin.get(url, headers={"Accept-Language": "de"}).text for url in urls]

    assert all("Lauf" in page and ">Ausführen" not in page for page in pages)
