from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError
from django.http import HttpResponse
from django.test import Client as Browser
from pytest_django import Settings

from authconfig.choices import Event
from authconfig.models import AuthenticationSettings, current_rules
from authconfig.sections import FIELDS, SECRETS
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.administration.authentication import audited_form
from tests.support.certificates import make_authority
from tests.support.html import Page
from tests.support.settings_data import ACCOUNT, NETLOGON, OAUTH2, posted

PAGE = "/admin/authconfig/authenticationsettings/"
PREVIEW = f"{PAGE}preview/"
# The original's page, from its manual: label and mark of each field, in its order; its
# newest version logs in at the SMTP server by OAuth2 as well, which “Login” chooses.
ORIGINAL_AUTHENTICATION = [
    "Two-factor authentication (myApps only)",
    "Authentication type (myApps and myPBX)",
    "OAuth2 provider name (myApps only)",
    "OAuth2 domain",
]
ORIGINAL_TYPES = [
    ("PBX only", False),
    ("Netlogon only", False),
    ("PBX and Netlogon", False),
    ("OAuth2 only", True),
    ("PBX and OAuth2", True),
]
ORIGINAL_EMAIL = [
    "SMTP server",
    "Client host name",
    "Sender name",
    "Email address",
    "Username",
    "Password",
    "Login",
    "Verification link",
    "Test",
]
Configure = Callable[..., AuthenticationSettings]


def page_of(browser: Browser) -> Page:
    response = browser.get(PAGE)
    assert response.status_code == 200
    return Page(response.content.decode())


def save(browser: Browser, **changes: str) -> HttpResponse:
    return browser.post(PAGE, posted(**changes), follow=True)  # type: ignore[return-value]


def said(response: HttpResponse) -> list[str]:
    return [str(m) for m in response.context["messages"]]  # type: ignore[attr-defined]


def test_labels_and_marks_are_the_originals_in_its_order(admin: Browser) -> None:
    labels = page_of(admin).texts("row-label")

    start = labels.index("SMTP server")
    assert labels[:4] == ORIGINAL_AUTHENTICATION
    end = labels.index("Test") + 1
    assert [n for n in labels[start:end] if n in ORIGINAL_EMAIL] == ORIGINAL_EMAIL


def test_options_and_marks_are_the_originals_in_its_order(admin: Browser) -> None:
    page = page_of(admin)
    radios = page.find(type="radio", name="authentication_type")
    count = len(radios)
    marks = ["(myApps only)" in text for text in page.texts("type-help")[:count]]

    # The choices of the login at the mail server look alike, and follow.
    labels = [text.partition(" Users")[0] for text in page.texts("type")[:count]]
    assert list(zip(labels, marks, strict=True)) == ORIGINAL_TYPES
    assert [radio["value"] for radio in radios if "checked" in radio] == ["pbx_only"]


def test_sections_stand_in_the_originals_order(admin: Browser) -> None:
    *originals, ours = page_of(admin).texts("card-title")

    assert originals == ["Authentication", "Email verification", "Netlogon", "OAuth2"]
    assert ours == "Alarms"


def test_each_field_is_named_by_a_label(admin: Browser) -> None:
    page = page_of(admin)
    named = {attributes["for"] for attributes in page.find() if "for" in attributes}
    unnamed = [
        attributes["name"]
        for tag, attributes, _words in page.elements
        if tag in ("input", "select", "textarea")
        and attributes.get("name") in (*FIELDS, "test_recipient")
        and attributes.get("id") not in named
    ]

    assert unnamed == []


def test_each_section_begins_with_what_the_present_values_mean(
    admin: Browser, configure: Configure
) -> None:
    configure(authentication_type="oauth2_only", **OAUTH2)

    summaries = page_of(admin).texts("card-summary")
    assert summaries[0] == (
        "Users log in to myApps with OAuth2 only; nobody can log in to myPBX."
    )
    assert summaries[2] == "Not used by the present authentication type."
    assert "login.example.com" in summaries[3]


@pytest.mark.parametrize(
    ("values", "opened"),
    [
        ({}, set()),
        ({"authentication_type": "netlogon_only", **NETLOGON}, {"netlogon"}),
        ({"authentication_type": "pbx_and_oauth2", **OAUTH2}, {"oauth2"}),
    ],
)
def test_what_the_type_does_not_use_is_folded(
    admin: Browser, configure: Configure, values: dict[str, str], opened: set[str]
) -> None:
    configure(**values)
    folds = [a for a in page_of(admin).find() if "data-method" in a]

    assert {fold["data-method"] for fold in folds} == {"netlogon", "oauth2"}
    assert {fold["data-method"] for fold in folds if "open" in fold} == opened


def test_folded_fields_are_kept_and_judged(admin: Browser) -> None:
    save(admin, netlogon_domain="ad.example.com")
    refused = save(admin, netlogon_domain="no domain")

    assert AuthenticationSettings.load().netlogon_domain == "ad.example.com"
    card = Page(refused.content.decode()).find(id="section-netlogon")[0]
    assert "open" in card


def test_more_is_open_while_it_holds_an_unusual_value(
    admin: Browser, configure: Configure
) -> None:
    def is_open() -> bool:
        folds = page_of(admin).find(**{"class": "fold", "data-fold": "email"})
        return "open" in folds[0]

    assert not is_open()
    configure(smtp_port=2525)
    assert is_open()


def test_saving_says_what_was_changed(admin: Browser, administrator: PbxUser) -> None:
    response = save(admin, smtp_sender_name="Telephone", oauth2_domain="example.com")

    assert said(response) == ["Saved: OAuth2 domain, Sender name"]
    entry = LogEntry.objects.get()
    assert entry.user == administrator
    assert "smtp_sender_name" in entry.change_message
    events = AuditEvent.objects.filter(event=Event.SETTING_CHANGED, actor=administrator)
    assert {event.detail for event in events} == {
        "oauth2_domain: “” → “example.com”",
        "smtp_sender_name: “” → “Telephone”",
    }


def test_saving_without_a_change_says_so(admin: Browser) -> None:
    assert said(save(admin)) == ["Nothing was changed."]
    assert not LogEntry.objects.exists()


def test_refused_form_names_every_fault_with_a_link_to_its_field(
    admin: Browser,
) -> None:
    response = save(admin, smtp_server="no host", authentication_type="oauth2_only")

    page = Page(response.content.decode())
    links = [a["href"] for tag, a, _w in page.elements if tag == "a" and "href" in a]
    box = page.text(id="faults")
    assert page.find(id="faults")[0]["role"] == "alert"
    assert "Nothing was saved." in box
    for name in (*OAUTH2, "smtp_server"):
        assert f"#id_{name}" in links
        assert page.find(id=f"id_{name}")[0]["aria-invalid"] == "true"
    assert AuthenticationSettings.load().authentication_type == "pbx_only"


def test_nothing_is_saved_when_one_field_is_wrong(admin: Browser) -> None:
    save(admin, smtp_sender_name="Telephone", smtp_port="0")

    assert AuthenticationSettings.load().smtp_sender_name == ""
    assert not AuditEvent.objects.filter(event=Event.SETTING_CHANGED).exists()


@pytest.mark.database
def test_constraint_that_a_race_violates_is_an_answer(
    admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def race(*args: Any, **kwargs: Any) -> list[str]:
        raise IntegrityError("two_factor_needs_mail_and_link")

    monkeypatch.setattr(audited_form, "save", race)
    response = admin.post(PAGE, posted(smtp_sender_name="Telephone"))

    assert response.status_code == 200
    assert "Somebody else has saved" in response.content.decode()


def test_secrets_stand_nowhere(admin: Browser, configure: Configure) -> None:
    configure(**dict.fromkeys(SECRETS, "geheim-alt"))
    response = save(admin, smtp_password="geheim-neu", smtp_sender_name="Telephone")

    refused = admin.post(PAGE, posted(smtp_password="geheim-neu", smtp_port="0"))
    preview = admin.post(PREVIEW, posted(smtp_password="geheim-neu"))
    for answer in (response, refused, preview):
        assert "geheim" not in answer.content.decode()
    for event in AuditEvent.objects.all():
        assert "geheim" not in event.detail
    assert "geheim" not in LogEntry.objects.get().change_message


def test_page_says_in_words_whether_a_secret_is_stored(
    admin: Browser, configure: Configure
) -> None:
    configure(smtp_password="geheim")
    page = page_of(admin)

    assert "Set." in page.text(id="id_smtp_password_state")
    assert "Not set." in page.text(id="id_oauth2_client_secret_state")
    assert page.find(name="smtp_password-remove")
    assert not page.find(name="oauth2_client_secret-remove")


def test_lost_secret_is_said_before_and_after_saving(
    admin: Browser, configure: Configure
) -> None:
    configure(smtp_password="geheim")
    changes = {"smtp_server": "mail2.example.com"}

    lost = admin.post(PREVIEW, posted(**changes)).json()["lost"]
    messages = said(save(admin, **changes))

    assert list(lost) == ["smtp_password"]
    assert messages == ["Saved: SMTP server, Password", lost["smtp_password"]]
    assert AuthenticationSettings.load().smtp_password == ""


def test_stored_certificate_is_shown_with_its_owner_and_end(
    admin: Browser, configure: Configure
) -> None:
    configure(smtp_ca_certificate=make_authority().ca_pem)

    assert any("valid until" in text for text in page_of(admin).texts("fact"))


def test_redirect_uri_is_shown_to_copy(admin: Browser) -> None:
    field = page_of(admin).find(id="redirect-uri")[0]

    assert field["value"].endswith("/login/oauth2/callback/")
    assert "readonly" in field


def test_preview_says_what_would_change_and_saves_nothing(admin: Browser) -> None:
    changes = posted(authentication_type="oauth2_only", **OAUTH2)
    preview = admin.post(PREVIEW, changes).json()

    assert "myPBX users can no longer log in." in preview["sections"]["authentication"]
    assert preview["changed"][0] == "Authentication type"
    assert AuthenticationSettings.load().authentication_type == "pbx_only"


def test_preview_of_a_faulty_form_answers(admin: Browser) -> None:
    answer = admin.post(PREVIEW, posted(smtp_server="no host:0", smtp_port="x"))

    # Unsaved as well, though what is wrong cannot be saved.
    assert answer.json()["changed"] == ["SMTP server", "Port"]


def test_preview_counts_who_could_not_log_in(
    admin: Browser, configure: Configure
) -> None:
    PbxUser.objects.create_user("ben", "a long password")
    PbxUser.objects.create_user("cleo", "a long password", is_active=False)
    preview = admin.post(PREVIEW, posted(two_factor="on", **ACCOUNT)).json()

    sentence = "1 user cannot log in to myApps."
    assert sentence in preview["sections"]["authentication"]
    held = "1 user could not log in with it: nothing could approve the login."
    assert any(held in fact for fact in page_of(admin).texts("fact"))


def test_the_page_says_who_cannot_log_in_now(admin: Browser) -> None:
    PbxUser.objects.create(name="ben", password="!none")

    page = page_of(admin)

    assert "1 user cannot log in. Show them" in page.texts("fact")
    assert page.find(href="/admin/users/pbxuser/access/?myapps=no&is_active__exact=1")


def test_preview_of_another_type_asks_the_policy(admin: Browser) -> None:
    PbxUser.objects.create(name="ben", password="!none")

    said = admin.post(
        PREVIEW, posted(authentication_type="oauth2_only", **OAUTH2)
    ).json()["sections"]["authentication"]

    # Ben can from then on, but the administrator's account is not connected.
    assert "1 user cannot log in to myApps." in said
    PbxUser.objects.create(name="cleo", password="!none", is_staff=True)
    said = admin.post(
        PREVIEW, posted(authentication_type="pbx_and_oauth2", **OAUTH2)
    ).json()["sections"]["authentication"]
    assert "1 user cannot log in to myApps." in said


def test_conditions_of_two_factor_are_told(admin: Browser) -> None:
    preview = admin.post(PREVIEW, posted(**ACCOUNT)).json()

    assert preview["conditions"] == [False, True]


def test_two_factor_is_refused_without_an_accepted_test(admin: Browser) -> None:
    response = save(admin, two_factor="on", **ACCOUNT)

    assert "has not yet accepted a test e-mail" in response.content.decode()
    assert not AuthenticationSettings.load().two_factor


def test_setting_that_locks_every_administrator_out_is_refused(
    admin: Browser,
) -> None:
    response = save(admin, authentication_type="oauth2_only", **OAUTH2)

    assert "You have not logged in with" in response.content.decode()
    assert AuthenticationSettings.load().authentication_type == "pbx_only"


def test_page_asks_no_other_host_and_runs_no_inline_script(admin: Browser) -> None:
    response = admin.get(PAGE)
    page = Page(response.content.decode())
    loaded = [
        attributes.get("src") or attributes.get("href", "")
        for tag, attributes, _words in page.elements
        if tag in ("script", "link", "img")
    ]

    assert loaded
    assert all(address.startswith("/") for address in loaded)
    assert not [w for tag, _a, w in page.elements if tag == "script" and w]


@pytest.mark.database
def test_page_keeps_its_query_budget(
    admin: Browser, django_assert_max_num_queries: Any
) -> None:
    AuthenticationSettings.load()
    PbxUser.objects.bulk_create(PbxUser(name=f"user{n}") for n in range(50))
    save(admin, smtp_sender_name="Telephone", oauth2_domain="example.com")
    admin.get(PAGE)  # the message of that

    with django_assert_max_num_queries(12):
        admin.get(PAGE)


@pytest.mark.database
def test_current_settings_cost_no_query_within_a_second(
    configure: Configure, django_assert_num_queries: Any
) -> None:
    configure(smtp_sender_name="Telephone")

    with django_assert_num_queries(0):
        for _call in range(100):
            assert current_rules().smtp_sender_name == "Telephone"


def test_current_settings_follow_within_a_second(configure: Configure) -> None:
    configure(smtp_sender_name="Telephone")
    AuthenticationSettings.objects.update(smtp_sender_name="Exchange")

    time.sleep(1.01)
    assert current_rules().smtp_sender_name == "Exchange"


def test_a_link_to_the_port_before_is_warned_of(
    admin: Browser, configure: Configure, settings: Settings
) -> None:
    settings.SITE_URL = "http://127.0.0.1:8001"
    configure(verification_link="http://127.0.0.1:8000/PBX0/session.xml")

    assert "leads to port 8000, but this site" in admin.get(PAGE).content.decode()
