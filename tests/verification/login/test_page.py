from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client as Browser

from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from tests.conftest import PASSWORD, SettingsSetter, Starter
from verification.approval.models import LoginSession
from verification.approval.tokens import link_token
from verification.mail.models import OutgoingEmail

pytestmark = pytest.mark.django_db


def test_without_two_factor_a_right_password_logs_in(
    browser: Browser, start: Starter
) -> None:
    response = start(browser)

    assert response.url == "/account/"
    assert browser.get("/account/").status_code == 200
    assert not LoginSession.objects.exists()


@pytest.mark.parametrize(
    "name",
    [
        *("anna", "ANNA", "anna@pbx.example", "AD\\anna", "an\u200bna", "an\u00adna"),
        *("\u202aanna@pbx.example\u202c", "AD\\\ufeffanna"),
    ],
    ids=ascii,
)
def test_every_spelling_of_the_name_logs_in(
    browser: Browser, start: Starter, configure: SettingsSetter, name: str
) -> None:
    configure(pbx_domain="pbx.example", netlogon_netbios_name="AD")

    assert start(browser, name).status_code == 302


def token_on(page: HttpResponse) -> str:
    found = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', page.content.decode())
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("path", "wanted", "leads_to"),
    [
        ("/login/", "", "/account/"),
        ("/login/", "/account/password/", "/account/password/"),
        ("/login/", "https://evil.example/", "/account/"),
        ("/login/oauth2/", "", "/account/"),
    ],
)
def test_a_login_form_in_another_tab_leads_on_once_its_user_is_logged_in(
    user: PbxUser, path: str, wanted: str, leads_to: str
) -> None:
    browser = Browser(enforce_csrf_checks=True)
    first, second = (token_on(browser.get("/login/")) for _ in range(2))
    entered = {"login": "anna", "password": PASSWORD}
    browser.post("/login/", entered | {"csrfmiddlewaretoken": first})

    values = entered | {"csrfmiddlewaretoken": second, "next": wanted}
    answer = browser.post(path, values, follow=True)

    assert answer.redirect_chain[-1] == (leads_to, 302)
    assert answer.status_code == 200


def test_a_form_of_the_other_kind_in_another_tab_is_shown_anew(user: PbxUser) -> None:
    browser = Browser(enforce_csrf_checks=True)
    first = token_on(browser.get("/login/"))
    second = token_on(browser.get("/mypbx/login/"))
    entered = {"login": "anna", "password": PASSWORD}
    browser.post("/login/", entered | {"csrfmiddlewaretoken": first})

    page = browser.post(
        "/mypbx/login/", entered | {"csrfmiddlewaretoken": second}, follow=True
    )

    assert page.status_code == 200
    assert 'name="password"' in page.content.decode()


def test_a_form_without_its_token_logs_nobody_in(user: PbxUser) -> None:
    browser = Browser(enforce_csrf_checks=True)

    answer = browser.post("/login/", {"login": "anna", "password": PASSWORD})

    assert answer.status_code == 403
    assert "The page was too old" in answer.content.decode()


def test_a_second_tab_offers_to_go_on_waiting_or_another_account(
    browser: Browser, held: LoginSession
) -> None:
    page = browser.get("/login/").content.decode()

    assert 'href="/login/waiting/"' in page
    assert 'name="password"' in page


def test_a_login_that_is_over_is_not_said_to_wait(
    browser: Browser, held: LoginSession
) -> None:
    link = f"/PBX0/session.xml?id={link_token(held)}"
    Browser().post(link, {"decision": "reject"})

    assert 'href="/login/waiting/"' not in browser.get("/login/").content.decode()


def test_a_wrong_password_writes_no_login_and_no_mail(
    two_factor: AuthenticationSettings, browser: Browser, start: Starter
) -> None:
    response = start(browser, password="wrong")

    assert response.status_code == 200
    assert not LoginSession.objects.exists()
    assert not OutgoingEmail.objects.exists()


def test_unknown_wrong_and_inactive_give_the_same_page(
    two_factor: AuthenticationSettings, start: Starter, user: PbxUser
) -> None:
    PbxUser.objects.create_user("idle", PASSWORD, is_active=False)
    tries = [("nobody", PASSWORD), ("anna", "wrong"), ("idle", PASSWORD)]

    pages = {
        re.sub(
            r'(csrfmiddlewaretoken" value="[^"]*"|value="(nobody|anna|idle)")',
            "",
            start(Browser(), name, password).content.decode(),
        )
        for name, password in tries
    }

    assert len(pages) == 1


def test_mypbx_logs_in_without_the_second_factor(
    two_factor: AuthenticationSettings, browser: Browser, start: Starter
) -> None:
    assert start(browser, path="/mypbx/login/").url == "/account/"
    assert not LoginSession.objects.exists()


def test_a_mypbx_session_can_log_in_to_myapps_with_a_new_key(
    browser: Browser, start: Starter
) -> None:
    start(browser, path="/mypbx/login/")
    key = browser.session.session_key

    assert browser.get("/login/").status_code == 200
    start(browser)

    assert browser.session["kind"] == "myapps"
    assert browser.session.session_key != key
    assert not Session.objects.filter(session_key=key).exists()


@pytest.mark.parametrize(
    "wanted", ["//evil.test/", "https://evil.test/", "/\\evil.test", "javascript:x"]
)
def test_the_login_leads_to_no_other_site(
    browser: Browser, start: Starter, wanted: str
) -> None:
    response = start(browser, path=f"/login/?{urlencode({'next': wanted})}")

    assert response.url == "/account/"


def test_failures_of_one_account_are_limited(start: Starter, user: PbxUser) -> None:
    statuses = [start(Browser(), password="wrong").status_code for _ in range(11)]

    assert statuses == [200] * 10 + [429]


def test_the_owner_logs_in_where_he_did_before_while_strangers_fail(
    start: Starter, user: PbxUser
) -> None:
    start(Browser(REMOTE_ADDR="192.0.2.1"))
    for _ in range(11):
        start(Browser(REMOTE_ADDR="198.51.100.9"), password="wrong")

    assert start(Browser(REMOTE_ADDR="192.0.2.1")).status_code == 302
    assert start(Browser(REMOTE_ADDR="198.51.100.9")).status_code == 429


def test_one_address_is_limited_for_all_names(start: Starter, user: PbxUser) -> None:
    statuses = [
        start(Browser(), f"user{number}", "wrong").status_code for number in range(31)
    ]

    assert statuses == [200] * 30 + [429]
