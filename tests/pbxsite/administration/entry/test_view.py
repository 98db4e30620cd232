"""The view "Who can log in": the answers, their counts, the filters and the files."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client as Browser

from authconfig.choices import Event, Method
from authconfig.users import audit
from authconfig.users.models import PbxUser
from tests.conftest import PASSWORD, SettingsSetter
from tests.pbxsite.administration.entry.conftest import give_factor
from tests.support.browsers import sign_in
from tests.support.html import Page

# A screen reader stops at the colon.
NO_PASSWORD = "no: the PBX password is not set"
VIEW = "/admin/users/pbxuser/access/"
USERS = "/admin/users/pbxuser/"
OAUTH2_ONLY = {
    "authentication_type": "oauth2_only",
    "oauth2_provider_name": "Example",
    "oauth2_well_known_url": "https://login.example/.well-known/openid-configuration",
    "oauth2_client_id": "pbx",
}


@pytest.fixture
def imported(admin: Browser) -> list[PbxUser]:
    """Users as an import adds them: none has a password."""
    return PbxUser.objects.bulk_create(
        PbxUser(name=f"new{number}", password="!none") for number in range(3)
    )


def names(browser: Browser, **query: str) -> list[str]:
    listed = browser.get(VIEW, query).context["cl"].result_list
    return [user.name for user in listed]


def manage(*words: str) -> str:
    said = io.StringIO()
    call_command(*words, stdout=said)
    return said.getvalue()


@pytest.mark.usefixtures("imported")
def test_it_says_of_each_user_yes_or_why_not(admin: Browser) -> None:
    page = Page(admin.get(VIEW).content.decode())

    assert page.texts("field-myapps") == ["yes", *[NO_PASSWORD] * 3]
    # The reason is the same, and stands there once.
    assert page.texts("field-mypbx") == ["yes", *["no"] * 3]


def test_a_kind_keeps_its_small_letter(admin: Browser) -> None:
    heads = Page(admin.get(VIEW).content.decode()).texts("column-myapps")

    assert heads == ["myApps"]


@pytest.mark.usefixtures("imported")
def test_it_counts_who_could_not_and_leads_to_them(admin: Browser) -> None:
    html = admin.get(VIEW).content.decode()
    page = Page(html)

    assert "<title> Who can log in | " in html
    assert page.texts("fact-warning") == ["3 users cannot log in. Show them"]
    assert page.find(href=f"{VIEW}?myapps=no&is_active__exact=1")
    there = Page(admin.get(f"{VIEW}?myapps=no&is_active__exact=1").content.decode())
    assert there.texts("fact-warning") == ["3 users cannot log in."]
    assert names(admin, myapps="no", is_active__exact="1") == ["new0", "new1", "new2"]


def test_it_offers_to_invite_them_where_that_is_possible(
    admin: Browser, configure: SettingsSetter
) -> None:
    offered = 'href="/admin/users/pbxuser/invite/"'
    assert offered not in admin.get(VIEW).content.decode()

    configure(smtp_server="mail.example.com", smtp_email_address="pbx@example.com")

    assert offered in admin.get(VIEW).content.decode()


def test_it_says_that_everybody_can(admin: Browser) -> None:
    assert "Every active user can log in," in admin.get(VIEW).content.decode()


@pytest.mark.usefixtures("imported")
def test_another_authentication_type_changes_the_answers(
    admin: Browser, configure: SettingsSetter
) -> None:
    configure(**OAUTH2_ONLY)

    assert names(admin, myapps="no") == ["admin"]
    assert names(admin, reason="no_account") == ["admin"]
    assert len(names(admin, reason="no_method", mypbx="no")) == 4
    # Nobody is to log in to myPBX, so nobody is missed there.
    assert Page(admin.get(VIEW).content.decode()).texts("fact-warning") == [
        "1 user cannot log in to myApps. Show them"
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"password": "no"}, ["new0", "new1", "new2"]),
        ({"email": "yes"}, ["admin"]),
        ({"factor": "yes"}, ["new1"]),
        ({"oauth2": "yes"}, []),
        ({"myapps": "yes"}, ["admin"]),
        ({"myapps": "nonsense"}, ["admin", "new0", "new1", "new2"]),
        ({"q": "new2", "myapps": "no"}, ["new2"]),
    ],
)
def test_the_filters_ask_for_what_the_columns_say(
    admin: Browser, imported: list[PbxUser], query: dict[str, str], found: list[str]
) -> None:
    give_factor(imported[1])

    assert names(admin, **query) == found


@pytest.mark.usefixtures("imported")
def test_the_filters_count(admin: Browser) -> None:
    page = admin.get(VIEW)

    choices = {
        choice["display"]
        for spec in page.context["cl"].filter_specs
        for choice in spec.choices(page.context["cl"])
    }
    assert {"the PBX password is not set (3)", "yes (1)", "no (3)"} <= choices


@pytest.mark.usefixtures("two_factor", "user")
def test_a_required_factor_is_told(
    admin: Browser, administrator: PbxUser, configure: SettingsSetter
) -> None:
    give_factor(administrator, "email")
    configure(factor_required=True)

    answers = Page(admin.get(VIEW).content.decode()).texts("field-myapps")

    assert answers == ["yes", "yes, with a passkey or app to set up first"]


def test_it_shows_the_last_login_with_a_windows_password(
    admin: Browser, user: PbxUser
) -> None:
    audit.record(Event.LOGIN, user=user, method=Method.NETLOGON)

    seen = Page(admin.get(VIEW).content.decode()).texts("field-directory")

    assert seen[0] == ""
    assert ":" in seen[1]


@pytest.mark.usefixtures("imported")
def test_the_file_has_who_the_filters_leave(admin: Browser) -> None:
    answer = admin.get(f"{VIEW}csv/", {"myapps": "no"})

    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["name"] for row in rows] == ["new0", "new1", "new2"]
    assert rows[0]["myapps"] == "0"
    assert rows[0]["reasons"] == "the PBX password is not set"


@pytest.mark.usefixtures("imported")
def test_scripts_get_the_same_from_the_page_and_the_command(admin: Browser) -> None:
    of_page = admin.get(f"{VIEW}json/").json()
    of_command = json.loads(manage("pbxusers", "access", "--json"))

    assert of_page == of_command
    assert {key: of_command[1][key] for key in ("name", "myapps", "mypbx")} == {
        "name": "new0",
        "myapps": False,
        "mypbx": False,
    }
    assert of_command[1]["reasons"] == ["the PBX password is not set"]


@pytest.mark.usefixtures("imported")
def test_the_command_prints_a_line_for_each_user() -> None:
    assert manage("pbxusers", "access", "--closed").splitlines() == [
        "name  myapps  mypbx  reasons",
        *(f"new{n}  no      no     the PBX password is not set" for n in range(3)),
    ]


def test_a_reason_names_the_kind_that_it_stands_at(
    admin: Browser, configure: SettingsSetter
) -> None:
    configure(**OAUTH2_ONLY)

    (admin_row,) = admin.get(f"{VIEW}json/").json()

    assert admin_row["reasons"] == [
        "myApps: an administrator's OAuth2 account is not connected",
        "myPBX: the authentication type lets nobody in",
    ]


@pytest.mark.usefixtures("imported")
def test_the_list_of_users_has_the_answer_too(admin: Browser) -> None:
    PbxUser.objects.filter(name="new2").update(is_active=False)

    badges = Page(admin.get(USERS).content.decode()).texts("field-access")

    assert badges == [
        "Can log in",
        *["Cannot log in: the PBX password is not set"] * 2,
        "Inactive",
    ]


@pytest.mark.database
@pytest.mark.usefixtures("thousand")
@pytest.mark.parametrize("path", [VIEW, f"{VIEW}csv/", f"{VIEW}json/", USERS])
def test_a_thousand_users_cost_no_more_queries(
    admin: Browser, path: str, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(8):
        assert (
            admin.get(path, {"myapps": "no"} if path != USERS else {}).status_code
            == 200
        )


@pytest.mark.parametrize("part", ["", "csv/", "json/"])
def test_no_hash_of_a_password_is_shown(
    admin: Browser, administrator: PbxUser, part: str
) -> None:
    html = admin.get(f"{VIEW}{part}").content.decode()

    assert administrator.password not in html
    assert "argon2" not in html


@pytest.mark.parametrize("column", ["password__startswith", "first_hash__gt"])
def test_no_column_is_asked_letter_by_letter(admin: Browser, column: str) -> None:
    assert admin.get(VIEW, {column: "a"}).status_code == 400


@pytest.mark.parametrize("path", [VIEW, USERS])
def test_the_menu_marks_the_one_page_that_is_open(admin: Browser, path: str) -> None:
    page = Page(admin.get(path).content.decode())

    marked = [
        link["href"]
        for link in page.find()
        if "active" in link.get("class", "").split() and "href" in link
    ]
    assert marked == [path]


def test_who_may_not_see_users_sees_no_answers(administrator: PbxUser) -> None:
    stranger = sign_in(PbxUser.objects.create_user("helper", PASSWORD, is_staff=True))

    for part in ("", "csv/", "json/"):
        assert stranger.get(f"{VIEW}{part}").status_code == 403
