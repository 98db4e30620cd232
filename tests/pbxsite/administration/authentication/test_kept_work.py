"""What an administrator entered is not lost, and what somebody else saved neither."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client as Browser
from django.utils import timezone

from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from tests.conftest import PASSWORD, SettingsSetter
from tests.support.browsers import sign_in
from tests.support.html import Page
from tests.support.settings_data import posted

PAGE = "/admin/authconfig/authenticationsettings/"
HIDDEN = ("version", "opened", "reader")


def hidden(response: HttpResponse) -> dict[str, str]:
    """Return what the page notes of itself."""
    page = Page(response.content.decode())
    return {n: f["value"] for n in HIDDEN for f in page.find(name=n, type="hidden")}


def opened(browser: Browser, **entered: str) -> dict[str, str]:
    """Return the page's form, opened now, with what was entered."""
    return posted(**hidden(browser.get(PAGE)), **entered)  # type: ignore[arg-type]


def said(response: HttpResponse) -> list[str]:
    return [str(m) for m in response.context["messages"]]  # type: ignore[attr-defined]


@pytest.fixture
def colleague(db: None) -> Browser:
    ben = PbxUser.objects.create_superuser("ben", PASSWORD, email="ben@example.com")
    return sign_in(ben)


def test_changes_of_different_fields_merge(admin: Browser, colleague: Browser) -> None:
    mine = opened(admin, smtp_sender_name="Mine")
    colleague.post(PAGE, opened(colleague, oauth2_domain="example.com"))

    answer = admin.post(PAGE, mine, follow=True)

    rules = AuthenticationSettings.load()
    assert (rules.smtp_sender_name, rules.oauth2_domain) == ("Mine", "example.com")
    assert said(answer) == [  # type: ignore[arg-type]
        "Saved: Sender name",
        "Changed by others meanwhile, and kept: OAuth2 domain",
    ]


def test_switches_and_choices_merge_too(admin: Browser, colleague: Browser) -> None:
    mine = opened(admin, smtp_sender_name="Mine")
    theirs = opened(colleague, password_changes_forbidden="on", smtp_security="tls")
    colleague.post(PAGE, theirs)

    admin.post(PAGE, mine)

    rules = AuthenticationSettings.load()
    assert rules.password_changes_forbidden
    assert (rules.smtp_security, rules.smtp_sender_name) == ("tls", "Mine")


def test_the_preview_hands_on_what_others_saved(
    admin: Browser, colleague: Browser
) -> None:
    mine = opened(admin, smtp_sender_name="Mine")
    theirs = {"smtp_sender_name": "Theirs", "oauth2_domain": "example.com"}
    colleague.post(PAGE, opened(colleague, **theirs, oauth2_client_secret="geheim"))

    answer = admin.post(f"{PAGE}preview/", mine)

    found = answer.json()  # type: ignore[attr-defined]
    assert found["theirs"] == {"oauth2_domain": "example.com"}
    assert "OAuth2 domain, Client secret" in found["told"]["theirs"]
    assert "Sender name" in found["told"]["both"]
    assert "geheim" not in answer.content.decode()
    again = mine | found["theirs"] | {"opened": found["opened"]}
    assert admin.post(f"{PAGE}preview/", again).json()["theirs"] == {}  # type: ignore[attr-defined]
    assert "Choose which value stays" in admin.post(PAGE, again).content.decode()


def test_log_in_there_takes_what_others_saved(
    admin: Browser, colleague: Browser
) -> None:
    mine = opened(admin, oauth2_well_known_url="http://127.0.0.1:9/mine")
    colleague.post(PAGE, opened(colleague, oauth2_client_id="theirs"))
    sent = {n: v for n, v in mine.items() if n.startswith(("oauth2_", "opened"))}

    answer = admin.post("/admin/oauth2/test/", sent)

    assert "Enter it first." not in answer.content.decode()


@pytest.mark.parametrize("kept", ["Theirs", "Mine"])
def test_two_changes_of_one_field_stand_side_by_side(
    admin: Browser, colleague: Browser, kept: str
) -> None:
    mine = opened(admin, smtp_sender_name="Mine", oauth2_domain="example.com")
    colleague.post(PAGE, opened(colleague, smtp_sender_name="Theirs"))

    refused = admin.post(PAGE, mine)

    text = refused.content.decode()
    assert "Changed by ben on" in text
    assert AuthenticationSettings.load().smtp_sender_name == "Theirs"
    assert AuthenticationSettings.load().oauth2_domain == ""
    sides = Page(text).find(type="radio", name="choose-smtp_sender_name")
    assert [side["data-value"] for side in sides] == ["Theirs", "Mine"]
    chosen = next(s["value"] for s in sides if s["data-value"] == kept)
    choice = {"choose-smtp_sender_name": chosen}
    admin.post(PAGE, mine | hidden(refused) | choice)  # type: ignore[arg-type]
    rules = AuthenticationSettings.load()
    assert (rules.smtp_sender_name, rules.oauth2_domain) == (kept, "example.com")


def test_a_conflict_without_a_choice_stays_one(
    admin: Browser, colleague: Browser
) -> None:
    mine = opened(admin, smtp_sender_name="Mine")
    colleague.post(PAGE, opened(colleague, smtp_sender_name="Theirs"))
    refused = admin.post(PAGE, mine)

    again = admin.post(PAGE, mine | hidden(refused))  # type: ignore[arg-type]

    assert "Nothing was saved." in again.content.decode()
    assert AuthenticationSettings.load().smtp_sender_name == "Theirs"


def test_a_choice_is_between_the_values_that_were_shown(
    admin: Browser, colleague: Browser
) -> None:
    mine = opened(admin, smtp_sender_name="Mine")
    colleague.post(PAGE, opened(colleague, smtp_sender_name="Theirs"))
    refused = admin.post(PAGE, mine)
    colleague.post(PAGE, opened(colleague, smtp_sender_name="Newer"))
    side = Page(refused.content.decode()).find(name="choose-smtp_sender_name")[1]

    choice = {"choose-smtp_sender_name": side["value"]}
    again = admin.post(PAGE, mine | hidden(refused) | choice)  # type: ignore[arg-type]

    assert "Newer" in again.content.decode()
    assert AuthenticationSettings.load().smtp_sender_name == "Newer"


def test_two_new_secrets_are_a_conflict_that_shows_neither(
    admin: Browser, colleague: Browser
) -> None:
    mine = opened(admin, smtp_password="geheim-meins")
    colleague.post(PAGE, opened(colleague, smtp_password="geheim-ihres"))

    refused = admin.post(PAGE, mine)

    assert "Leave it empty to keep theirs" in refused.content.decode()
    assert "geheim" not in refused.content.decode()
    assert AuthenticationSettings.load().smtp_password == "geheim-ihres"
    again = mine | hidden(refused)  # type: ignore[arg-type]
    admin.post(PAGE, again)
    assert AuthenticationSettings.load().smtp_password == "geheim-meins"


@pytest.mark.database
@pytest.mark.parametrize(
    "entered",
    [
        {"smtp_sender_name": "Telephone"},
        {"smtp_server": "mail.example.com:2525", "smtp_password": "geheim"},
        {"smtp_server": "mail.example.com", "smtp_port": ""},
        {"oauth2_scope": "", "pbx_domain": "example.com"},
    ],
    ids=["plain", "split", "defaulted", "emptied"],
)
def test_a_form_that_is_sent_twice_is_saved_once(
    admin: Browser, entered: dict[str, str], configure: SettingsSetter
) -> None:
    configure(smtp_server="old.example.com", smtp_password="alt", oauth2_scope="openid")
    form = opened(admin, **entered)

    first = said(admin.post(PAGE, form, follow=True))  # type: ignore[arg-type]
    second = said(admin.post(PAGE, form, follow=True))  # type: ignore[arg-type]

    assert first[0].startswith("Saved: ")
    assert second[0].startswith("Saved: ")
    assert "Changed by others" not in " ".join(second)


def lose_session(browser: Browser) -> None:
    Session.objects.all().delete()


def log_in(browser: Browser, name: str) -> None:
    answer = browser.post(
        "/login/", {"login": name, "password": PASSWORD, "next": PAGE}
    )
    assert answer.headers["Location"] == PAGE


def test_a_lost_session_keeps_what_was_entered_over_the_login(admin: Browser) -> None:
    form = opened(admin, smtp_sender_name="Telephone", smtp_password="geheim")
    lose_session(admin)

    lost = admin.post(PAGE, form, follow=True)
    assert lost.redirect_chain[-1][0].startswith("/login/?next=")  # type: ignore[attr-defined]
    assert "What you entered is kept" in lost.content.decode()
    log_in(admin, "admin")
    text = admin.get(PAGE).content.decode()

    assert "You were no longer logged in" in text
    assert Page(text).find(name="smtp_sender_name")[0]["value"] == "Telephone"
    assert "geheim" not in text
    assert AuthenticationSettings.load().smtp_sender_name == ""
    admin.post(PAGE, form | hidden(admin.get(PAGE)))  # type: ignore[arg-type]
    assert AuthenticationSettings.load().smtp_sender_name == "Telephone"


def test_what_was_entered_is_shown_once_and_without_secrets_kept(
    admin: Browser,
) -> None:
    form = opened(admin, smtp_sender_name="Telephone", smtp_password="geheim")
    lose_session(admin)
    admin.post(PAGE, form)
    kept = "".join(str(s.get_decoded()) for s in Session.objects.all())
    log_in(admin, "admin")

    assert "settings_entries" in kept
    assert "geheim" not in kept
    assert "no longer logged in, so" in admin.get(PAGE).content.decode()
    assert "no longer logged in, so" not in admin.get(PAGE).content.decode()


def test_entries_merge_with_what_was_saved_meanwhile(
    admin: Browser, colleague: Browser
) -> None:
    form = opened(admin, smtp_sender_name="Telephone")
    colleague.post(PAGE, opened(colleague, oauth2_domain="example.com"))
    Session.objects.filter(pk=admin.session.session_key).delete()
    admin.post(PAGE, form)
    log_in(admin, "admin")

    page = Page(admin.get(PAGE).content.decode())

    assert page.find(name="oauth2_domain")[0]["value"] == "example.com"
    assert page.find(name="smtp_sender_name")[0]["value"] == "Telephone"


def test_nobody_else_is_shown_what_was_entered(
    admin: Browser, colleague: Browser
) -> None:
    form = opened(admin, smtp_sender_name="Telephone")
    lose_session(admin)
    admin.post(PAGE, form)
    log_in(admin, "ben")

    assert "no longer logged in, so" not in admin.get(PAGE).content.decode()


@pytest.mark.parametrize("reader", ["", "1", "forged"])
def test_nobody_without_the_page_leaves_entries(reader: str, db: None) -> None:
    stranger = Browser()

    stranger.post(PAGE, posted(reader=reader, smtp_sender_name="Evil"))

    assert not Session.objects.exists()


def test_entries_wait_an_hour(admin: Browser) -> None:
    form = opened(admin, smtp_sender_name="Telephone")
    lose_session(admin)
    admin.post(PAGE, form)

    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        log_in(admin, "admin")
        assert "no longer logged in, so" not in admin.get(PAGE).content.decode()


def token_in(response: HttpResponse) -> str:
    found = re.search(
        r'name="csrfmiddlewaretoken" value="([^"]+)"', response.content.decode()
    )
    assert found
    return html.unescape(found[1])


def test_a_login_in_another_tab_loses_nothing(administrator: PbxUser) -> None:
    browser = Browser(enforce_csrf_checks=True)
    login = browser.get("/login/")
    entered = {"login": "admin", "password": PASSWORD, "next": PAGE}
    browser.post("/login/", entered | {"csrfmiddlewaretoken": token_in(login)})  # type: ignore[arg-type]
    page = browser.get(PAGE)
    form = posted(smtp_sender_name="Telephone", **hidden(page))  # type: ignore[arg-type]
    form |= {"csrfmiddlewaretoken": token_in(page)}  # type: ignore[arg-type]
    lose_session(browser)
    login = browser.get("/login/")
    browser.post("/login/", entered | {"csrfmiddlewaretoken": token_in(login)})  # type: ignore[arg-type]

    answer = browser.post(PAGE, form, follow=True)

    assert "no longer logged in, so" in answer.content.decode()
    assert "Telephone" in answer.content.decode()
    assert AuthenticationSettings.load().smtp_sender_name == ""


def test_a_form_of_another_site_is_shown_to_nobody(administrator: PbxUser) -> None:
    browser = Browser(enforce_csrf_checks=True)
    browser.cookies = sign_in(administrator).cookies

    answer = browser.post(PAGE, posted(smtp_sender_name="Evil"))

    assert answer.status_code == 403
    assert "Evil" not in browser.get(PAGE).content.decode()
