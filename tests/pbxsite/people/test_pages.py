"""Export and erasure on the user's page, and on the command line."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import Event
from authconfig.users import audit
from authconfig.users.models import AuditEvent, PbxUser
from authconfig.users.pseudonyms import pseudonym_of
from pbxsite.people.export import as_json
from tests.conftest import PASSWORD
from tests.pbxsite.people.conftest import (
    ADDRESS,
    ADMINISTRATORS,
    EMAIL,
    NAME,
    what_names_her,
)
from tests.support.browsers import sign_in
from tests.support.html import Page

pytestmark = pytest.mark.django_db
USERS = "/admin/users/pbxuser/"
ACTS = ("export-data", "erase")
SECRETS = ("argon2", "pbkdf2", "md5$", "session_key", "auth_hash", "code_hash")


def url(user: PbxUser, act: str = "change") -> str:
    return f"{USERS}{user.pk}/{act}/"


def run(*words: str) -> tuple[str, str]:
    said, warned = io.StringIO(), io.StringIO()
    call_command("pbxusers", *words, stdout=said, stderr=warned)
    return said.getvalue(), warned.getvalue()


def limited(*rights: str) -> Browser:
    """An administrator who may change users, and has these rights beside."""
    helper = PbxUser.objects.create_user("helper", PASSWORD, is_staff=True)
    names = ("view_pbxuser", "change_pbxuser", *rights)
    helper.user_permissions.set(Permission.objects.filter(codename__in=names))
    return sign_in(helper)


@pytest.mark.parametrize(
    ("act", "place"), [("export-data", "change"), ("erase", "delete")]
)
def test_each_is_offered_in_one_place_and_asks_first(
    admin: Browser, anna: PbxUser, act: str, place: str
) -> None:
    offering = {
        where
        for where in ("change", "delete")
        if Page(admin.get(url(anna, where)).content.decode()).find(href=url(anna, act))
    }
    assert offering == {place}

    html = admin.get(url(anna, act)).content.decode()

    assert f"{NAME}" in html
    assert "Go back" in html
    assert PbxUser.objects.filter(pk=anna.pk).exists()


def test_the_question_says_how_much_goes(admin: Browser, anna: PbxUser) -> None:
    html = admin.get(url(anna, "erase")).content.decode()

    assert "Sessions, which end at once: 1" in html
    assert "Voicemail recordings that are kept on this site: 1" in html
    assert "Connected OAuth2 accounts: 1" in html
    assert "3 events of the audit log stay, without the name." in html


def test_erasing_leads_to_the_list_and_names_the_digest(
    admin: Browser, anna: PbxUser, administrator: PbxUser
) -> None:
    answer = admin.post(url(anna, "erase"), follow=True)

    assert answer.redirect_chain == [(USERS, 302)]  # type: ignore[attr-defined]
    assert f"{NAME} was erased." in answer.content.decode()
    assert pseudonym_of(NAME) in answer.content.decode()
    event = AuditEvent.objects.get(event=Event.DATA_ERASED)
    assert event.actor == administrator
    # Django keeps the message until it is shown.
    assert [line for line in what_names_her() if "session" not in line.casefold()] == []


def test_the_session_ends_at_once(admin: Browser, user: PbxUser) -> None:
    browser = sign_in(user)
    assert browser.get("/account/").status_code == 200

    admin.post(url(user, "erase"))

    assert browser.get("/account/").status_code == 302


@pytest.mark.parametrize("act", ACTS)
def test_an_old_session_is_asked_again(admin: Browser, anna: PbxUser, act: str) -> None:
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        answer = admin.post(url(anna, act))

    assert answer["Location"].startswith("/account/confirm/")
    assert PbxUser.objects.filter(pk=anna.pk).exists()


def test_nobody_erases_themselves(admin: Browser, administrator: PbxUser) -> None:
    html = admin.post(url(administrator, "erase"), follow=True).content.decode()

    assert "You cannot erase yourself." in html
    assert PbxUser.objects.filter(pk=administrator.pk).exists()


def test_the_last_administrator_is_erased_by_no_page(db: None) -> None:
    last = PbxUser.objects.create_superuser("last", PASSWORD, email="l@example.com")
    admin = sign_in(PbxUser.objects.create_superuser("by-rescue"))

    html = admin.post(url(last, "erase"), follow=True).content.decode()

    assert "No other administrator can log in with the present settings" in html
    assert PbxUser.objects.filter(pk=last.pk).exists()


@pytest.mark.parametrize(
    ("act", "rights"),
    [
        ("erase", ()),
        ("export-data", ("delete_pbxuser",)),
        ("export-data", ("view_auditevent", "view_usersession", "view_authenticator")),
    ],
)
def test_who_may_not_is_refused(
    user: PbxUser, act: str, rights: tuple[str, ...]
) -> None:
    browser = limited(*rights)

    assert not Page(browser.get(url(user)).content.decode()).find(href=url(user, act))
    assert browser.post(url(user, act)).status_code == 403
    assert PbxUser.objects.filter(pk=user.pk).exists()


@pytest.mark.parametrize("act", ACTS)
def test_nobody_takes_over_who_is_above(administrator: PbxUser, act: str) -> None:
    browser = limited(
        *("delete_pbxuser", "view_auditevent", "view_usersession"),
        *("view_authenticator", "view_loginsession", "view_outgoingemail"),
    )

    assert browser.post(url(administrator, act)).status_code == 403
    assert PbxUser.objects.filter(pk=administrator.pk).exists()


def test_the_file_tells_all_of_the_user_and_nothing_that_opens(
    admin: Browser, administrator: PbxUser, anna: PbxUser
) -> None:
    answer = admin.post(url(anna, "export-data"))

    assert answer["Content-Type"].startswith("application/json")
    assert answer["Content-Disposition"] == (
        'attachment; filename="annaxyzzy-data.json"'
    )
    told = json.loads(answer.content)
    (own,) = told["tables"]["users.PbxUser"]
    assert (own["email"], own["number"]) == (EMAIL, "77")
    assert told["tables"]["usersessions.UserSession"][0]["ip"] == ADDRESS
    assert told["tables"]["users.PbxUser_groups"] == [{"group": "Operators"}]
    assert [word for word in SECRETS if word in answer.content.decode()] == []
    event = AuditEvent.objects.get(event=Event.DATA_EXPORTED)
    assert (event.user, event.actor) == (anna, administrator)


def test_the_file_tells_nothing_of_others(
    anna: PbxUser, administrator: PbxUser, user: PbxUser
) -> None:
    audit.record(
        Event.USER_CHANGED, user=user, actor=anna, origin=ADMINISTRATORS, detail="berg"
    )

    file = as_json(anna)

    # What she did herself comes from where she was; the other event is another's.
    assert file.count("198.51.100.5") == file.count("Firefox") == 1
    assert "berg" not in file
    assert '"anna"' not in file


def test_the_audit_log_names_the_erased_in_words(admin: Browser, anna: PbxUser) -> None:
    admin.post(url(anna, "erase"))
    admin.cookies["django_language"] = "en"

    html = admin.get("/admin/users/auditevent/").content.decode()

    assert pseudonym_of(NAME).replace("erased ", "erased: ") in html
    event = AuditEvent.objects.filter(event=Event.LOGIN).first()
    assert event
    shown = admin.get(f"/admin/users/auditevent/{event.pk}/change/").content.decode()
    assert "erased: address" in shown


def test_who_is_deleted_is_still_named_as_the_one_who_acted(
    admin: Browser, anna: PbxUser
) -> None:
    admin.post(url(anna, "delete"), {"post": "yes"})

    event = AuditEvent.objects.get(actor_name=NAME)
    assert (event.actor, event.by) == (None, NAME)
    assert NAME in admin.get("/admin/users/auditevent/").content.decode()


def test_the_command_erases_and_says_so(anna: PbxUser) -> None:
    said, warned = run("erase", NAME.upper())

    assert f"{NAME} erased: 1 session" in said
    assert pseudonym_of(NAME) in said
    assert warned == ""
    assert what_names_her() == []


def test_the_command_warns_of_the_last_administrator_and_obeys(
    administrator: PbxUser,
) -> None:
    _said, warned = run("erase", "admin")

    assert warned.startswith("Warning: no administrator can log in any more")
    assert not PbxUser.objects.exists()


@pytest.mark.parametrize("act", ACTS)
def test_the_command_refuses_a_name_that_nobody_has(
    act: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        call_command("pbxusers", act, "nobody")

    assert "nobody is no PBX user" in capsys.readouterr().err


def test_the_command_writes_the_file(anna: PbxUser) -> None:
    said, _warned = run("export-data", NAME)

    assert json.loads(said)["user"] == NAME
    assert AuditEvent.objects.filter(event=Event.DATA_EXPORTED, user=anna).exists()
