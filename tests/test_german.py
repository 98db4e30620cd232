"""The pages and e-mails of people who read German."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import cache

import polib
import pytest
from django.test import Client as Browser
from django.utils import translation

from authconfig.models import current_rules
from authconfig.users.models import PbxUser
from pbxsite.administration.cells import moment
from tests.conftest import PASSWORD, SettingsSetter, Starter
from tests.support.html import Page
from tests.support.openid import Party, make_party
from tests.test_translations import CATALOGUE, Texts
from verification.approval.models import LoginSession
from verification.approval.tokens import link_token
from verification.mail.account import account_of
from verification.mail.models import OutgoingEmail
from verification.mail.rendering import render_mail

SETTINGS = "/admin/authconfig/authenticationsettings/"
USERS = "/admin/users/pbxuser/"
ADMIN_PAGES = [
    "/admin/",
    USERS,
    f"{USERS}add/",
    f"{USERS}import/",
    f"{USERS}?q=nobody",
    f"{USERS}{{user}}/change/",
    f"{USERS}{{user}}/password/",
    f"{USERS}{{user}}/history/",
    "/admin/auth/group/",
    "/admin/auth/group/add/",
    "/admin/users/auditevent/",
    "/admin/clients/clientapplication/",
    "/admin/clients/clientapplication/add/",
    "/admin/mfa/authenticator/",
    "/admin/usersessions/usersession/",
    "/admin/approval/loginsession/",
    "/admin/mail/outgoingemail/",
    "/admin/queue/",
]
# The theme draws them from these names.
PICTURES = {"add"}
GERMAN, ENGLISH = {"HTTP_ACCEPT_LANGUAGE": "de-AT,de;q=0.9"}, {}


@pytest.fixture(autouse=True)
def _german_ends_with_the_test() -> Iterator[None]:
    # A request leaves its language active in the test's thread.
    with translation.override("en"):
        yield


def read(browser: Browser, path: str, headers: dict[str, str] = GERMAN) -> str:
    response = browser.get(path, **headers)
    assert response.status_code == 200
    html: str = response.content.decode()
    return html


def words(found: Page) -> str:
    return " ".join(next(words for tag, _, words in found.elements if tag == "body"))


def handles(found: Page) -> list[tuple[str, str, str]]:
    """What scripts and scripted visitors hold on to."""
    return [
        (tag, attributes.get("id", ""), attributes.get("name", ""))
        for tag, attributes, _words in found.elements
        if "id" in attributes or "name" in attributes
    ]


@cache
def english_texts() -> set[str]:
    """What the catalogue has another word for in German, as a page would show it."""
    entries = polib.pofile(str(CATALOGUE))
    german = {entry.msgstr for entry in entries}
    texts = {entry.msgid for entry in entries if entry.msgid != entry.msgstr}
    return {" ".join(text.split()) for text in texts - german}


def left_in_english(html: str) -> set[str]:
    shown = {" ".join(text.split()) for text in Texts(html).found}
    # A language is offered by its own name.
    return shown & english_texts() - PICTURES - {"English"}


def check(browser: Browser, path: str, *sentences: str) -> None:
    html = read(browser, path)
    german, english = Page(html), Page(read(browser, path, ENGLISH))

    assert german.elements[0][1]["lang"] == "de"
    assert english.elements[0][1]["lang"].startswith("en")
    assert left_in_english(html) == set()
    for sentence in sentences:
        assert sentence in words(german)
        assert sentence not in words(english)
    assert handles(german) == handles(english)


def test_login_page(browser: Browser, two_factor: object) -> None:
    check(browser, "/login/", "Anmelden bei myApps", "Ihr PBX-Passwort")


@pytest.fixture
def party(db: None) -> Party:
    return make_party("intranet", is_own=False)


def test_pages_between_a_client_and_the_login(
    party: Party, user: PbxUser, start: Starter, browser: Browser
) -> None:
    start(browser)
    log_out = f"/openid/logout?client_id={party.client_id}"

    check(browser, party.asked(), "Bei Intranet anmelden?", "Nicht erlauben")
    check(browser, log_out, "Auch hier abmelden?", "Angemeldet bleiben")


def test_pages_of_a_clients_openid_connect(
    admin_client_myapps: Browser, party: Party
) -> None:
    page = f"/admin/clients/clientapplication/{party.openid.application_id}"

    check(admin_client_myapps, f"{page}/change/", "Neues Geheimnis erzeugen")
    check(admin_client_myapps, f"{page}/secret/", "gilt sofort nicht mehr")


def test_waiting_page(browser: Browser, held: LoginSession) -> None:
    check(browser, "/login/waiting/", "Ihre vier Ziffern", "Diese Anmeldung abbrechen")


def test_page_of_the_link(browser: Browser, held: LoginSession) -> None:
    path = f"/PBX0/session.xml?id={link_token(held)}"

    check(
        Browser(),
        path,
        "Melden Sie sich gerade an?",
        "Nein, das bin ich nicht",
        "Freigeben",
    )


def test_account_page(browser: Browser, start: Starter) -> None:
    start(browser)

    check(browser, "/account/", "Kontosicherheit", "Ihre Sitzungen", "Angemeldet:")


def test_settings_page(admin_client_myapps: Browser) -> None:
    check(
        admin_client_myapps,
        SETTINGS,
        "Zwei-Faktor-Authentifizierung (nur myApps)",
        "Authentifizierungsart (myApps und myPBX)",
        "Domänencontroller",
        "Test senden",
    )


def test_list_of_users(admin_client_myapps: Browser, user: PbxUser) -> None:
    check(admin_client_myapps, USERS, "Nebenstelle", "ohne E-Mail-Adresse", "Aktiv")


@pytest.mark.parametrize("path", ADMIN_PAGES)
def test_pages_of_the_admin_have_no_english_left(
    admin_client_myapps: Browser, administrator: PbxUser, held: LoginSession, path: str
) -> None:
    html = read(admin_client_myapps, path.format(user=administrator.pk))

    assert left_in_english(html) == set()
    assert "sessions" not in words(Page(html))


def message(login: LoginSession) -> EmailMessage:
    mail = OutgoingEmail.objects.get(login_mail__login=login)
    return render_mail(mail, account_of(current_rules())).whole()


@pytest.mark.parametrize("language", ["de", ""])
def test_verification_email_is_in_the_language_of_its_reader(
    two_factor: object, user: PbxUser, start: Starter, language: str
) -> None:
    PbxUser.objects.update(language=language)
    start(Browser(), **(ENGLISH if language else GERMAN))

    german = message(LoginSession.objects.get())

    assert german["Content-Language"] == "de"
    assert "Anmeldung bei myApps als anna bestätigen" in german["Subject"]
    for kind in ("plain", "html"):
        body = german.get_body((kind,))
        assert body
        assert (
            "Tippen Sie nie Ziffern ein, die Ihnen jemand nennt." in body.get_content()
        )


@pytest.mark.parametrize(
    ("language", "day"), [("de", "24.11.2026"), ("en", "2026-11-24")]
)
def test_times_in_lists_are_as_the_reader_writes_them(language: str, day: str) -> None:
    with translation.override(language):
        text = moment(datetime(2026, 11, 24, 4, 5, 6, tzinfo=UTC))

    assert day in text
    assert "04:05:06" in text


def test_notice_of_a_new_password_is_in_the_language_of_the_browser(
    configure: SettingsSetter, browser: Browser, start: Starter
) -> None:
    configure(smtp_server="127.0.0.1", smtp_email_address="pbx@example.com")
    start(browser)
    new = "quite another password"
    data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}

    browser.post("/account/password/", data, **GERMAN)

    [mail] = OutgoingEmail.objects.all()
    notice = render_mail(mail, account_of(current_rules())).whole()
    assert "Ihr Passwort wurde geändert" in notice["Subject"]
