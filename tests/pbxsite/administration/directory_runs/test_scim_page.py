"""The page of the users by SCIM, from the first key to the first run."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client as Browser

from authconfig.models import current_rules
from authconfig.sync import runs
from authconfig.sync.choices import Source
from authconfig.sync.models import ScimUser, SyncRun
from authconfig.sync.scim import keys
from authconfig.users.models import PbxUser
from pbxsite.administration.alarms.present import findings
from pbxsite.administration.directory_runs.state import scim_state, sync_state
from tests.support.scim import USERS, ScimClient, confirm

PAGE = "/admin/authconfig/authenticationsettings/users-by-scim/"
pytestmark = pytest.mark.django_db


def test_without_a_key_it_offers_to_make_one(admin: Browser) -> None:
    page = admin.get(PAGE).text
    assert "No provider writes users here." in page
    assert f"{PAGE}key/make/" in page
    assert "http://127.0.0.1:8000/scim/v2<" in page
    assert scim_state() is None


def test_the_first_users_wait_for_a_confirmation(admin: Browser) -> None:
    scim = ScimClient()
    scim.add("anna", "1")
    page = admin.get(PAGE).text
    assert "The provider tells of 1 user." in page
    assert "Nothing has come yet of what" in page
    assert "POST /Users" in page
    assert "Run now" not in page
    assert [f.kind.value for f in findings() if f.kind.value == "scim"] == ["scim"]
    assert "Nothing has come yet of what" in admin.get("/admin/").text

    answer = admin.post(f"{PAGE}begin/", {"what": "preview"})
    run = SyncRun.objects.get()
    assert (run.source, run.is_preview) == (Source.SCIM, True)
    runs.work(run)
    shown = admin.get(answer["Location"]).text
    assert f'href="{PAGE}"' in shown
    admin.post(f"{answer['Location']}confirm/", {})
    runs.work(SyncRun.objects.latest("pk"))
    assert PbxUser.objects.filter(name="anna").exists()
    assert "What the provider writes counts at once." in admin.get(PAGE).text


def test_an_answer_that_failed_is_shown_with_its_words(admin: Browser) -> None:
    scim = ScimClient()
    scim.ask("GET", f"{USERS}/nobody")
    scim.find('nobody eq "x"')
    page = admin.get(PAGE).text
    assert "404" in page
    assert "invalidFilter" in page


def test_runs_of_the_directory_are_another_pages(admin: Browser) -> None:
    runs.ask_for(runs.Trigger.PAGE, source=Source.SCIM, is_preview=True)
    page = admin.get("/admin/authconfig/authenticationsettings/users-from-directory/")
    assert "There has been none yet." in page.text
    assert sync_state(current_rules()) is None


def test_what_the_provider_says_is_read_only_on_the_users_page(
    admin: Browser, configure: Any
) -> None:
    configure(scim_attributes="name=userName, email=emails")
    confirm()
    ScimClient().add("anna", "1")
    anna = PbxUser.objects.get(name="anna")
    page = admin.get(f"/admin/users/pbxuser/{anna.pk}/change/").text
    assert page.count("From the OpenID provider, by SCIM: change it there.") == 2


def test_whoever_leaves_the_provider_is_a_local_user(admin: Browser) -> None:
    confirm()
    scim = ScimClient()
    public_id = scim.add("anna", "1").json()["id"]
    anna = PbxUser.objects.get(name="anna")
    admin.post(f"/admin/users/pbxuser/{anna.pk}/leave-directory/", {})
    scim.deactivate(public_id)
    anna.refresh_from_db()
    assert anna.is_active
    assert ScimUser.objects.get().user is None


def test_the_key_stands_alone_on_the_last_line(capsys: Any) -> None:
    call_command("scimkey", "make")
    key = capsys.readouterr().out.splitlines()[-1]
    assert ScimClient(key=key).ask("GET", USERS).status_code == 200
    call_command("scimkey", "show")
    shown = capsys.readouterr().out
    assert "address: http://127.0.0.1:8000/scim/v2" in shown
    assert key not in shown
    call_command("scimkey", "revoke")
    assert ScimClient(key=key).ask("GET", USERS).status_code == 401


def test_a_page_whose_key_was_revoked_says_that_nothing_is_written(
    admin: Browser,
) -> None:
    confirm()
    ScimClient().add("anna", "1")

    assert "What the provider writes counts at once." in admin.get(PAGE).text
    keys.revoke(actor=None)
    assert "the provider cannot write any more" in admin.get(PAGE).text
