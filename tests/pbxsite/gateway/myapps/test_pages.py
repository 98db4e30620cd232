"""The pages of a client's login in a browser."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import Event, Origin
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.gateway.myapps import browser_logins, logins
from pbxsite.gateway.myapps.models import BrowserLogin, BrowserState
from tests.conftest import SettingsSetter
from tests.support.browsers import sign_in
from tests.support.html import Page
from tests.support.myapps.places import HELD
from tests.support.oauth2_logins import come_back, leads_to
from tests.support.scripted_provider import Scripted, scripted_provider
from verification.approval.models import LoginSession

pytestmark = pytest.mark.django_db
BACK = "/PBX0/APPCLIENT/login/done/"
AGENT = '<b>myApps</b> "Windows"'


@pytest.fixture
def script(configure: SettingsSetter, user: PbxUser) -> Iterator[Scripted]:
    with scripted_provider() as running:
        configure(**running.settings())
        yield running


@pytest.fixture
def login(script: Scripted) -> BrowserLogin:
    return browser_logins.ask(Origin("127.0.0.1", AGENT))


def path_of(login: BrowserLogin) -> str:
    return f"/PBX0/APPCLIENT/login/{login.public_id}/"


def state_of(login: BrowserLogin) -> str:
    login.refresh_from_db()
    return login.state


def come_through(browser: Browser, login: BrowserLogin, script: Scripted) -> Any:
    page = browser.post(path_of(login), follow=True)
    return come_back(browser, script.log_in(leads_to(page)))


def test_the_page_names_application_address_and_time(login: BrowserLogin) -> None:
    shown = Browser().get(path_of(login))
    page = Page(shown.content.decode())

    (facts,) = page.texts("facts")
    assert shown.status_code == 200
    assert AGENT in facts
    assert "127.0.0.1" in facts
    assert page.find(datetime=timezone.localtime(login.created_at).isoformat("T"))
    assert "<b>myApps" not in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]


def test_opening_it_changes_nothing_and_names_no_provider_yet(
    login: BrowserLogin, script: Scripted
) -> None:
    shown = Browser().get(path_of(login))

    assert state_of(login) == BrowserState.ASKED
    assert script.issuer not in shown.content.decode()
    (form,) = Page(shown.content.decode()).find(id="myapps-confirm")
    assert form["method"] == "post"


@pytest.mark.parametrize(("address", "is_warned"), [("192.0.2.7", 1), ("127.0.0.1", 0)])
def test_a_client_at_another_address_is_pointed_out(
    script: Scripted, address: str, is_warned: int
) -> None:
    login = browser_logins.ask(Origin(address, AGENT))

    page = Browser().get(path_of(login)).content.decode()

    assert ("It runs at another address than this browser" in page) is bool(is_warned)
    assert "they would be logged in as you" in page


def test_confirmed_it_leads_to_the_provider_and_back_to_the_application(
    login: BrowserLogin, script: Scripted
) -> None:
    browser = Browser()
    end = come_through(browser, login, script)

    assert end.redirect_chain[-1][0] == BACK
    assert "You can go back to your application" in end.content.decode()
    assert "You have shown that you are anna" in end.content.decode()
    assert state_of(login) == BrowserState.SHOWN
    assert "_auth_user_id" not in browser.session
    assert "anna" not in browser.get(BACK).content.decode()


def gone(login: BrowserLogin) -> None:
    browser_logins.forget(login.pk)


def expired(login: BrowserLogin) -> None:
    past = timezone.now() - timedelta(seconds=1)
    BrowserLogin.objects.filter(pk=login.pk).update(expires_at=past)


def confirmed(login: BrowserLogin) -> None:
    Browser().post(path_of(login))


def refused(login: BrowserLogin) -> None:
    Browser().post(path_of(login), {"refuse": "yes"})


@pytest.mark.parametrize("end", [gone, expired, confirmed, refused])
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_address_that_is_over_answers_410(
    login: BrowserLogin, end: Any, method: str
) -> None:
    end(login)

    answer = getattr(Browser(), method)(path_of(login))

    assert answer.status_code == 410
    assert "start the login there again" in answer.content.decode()


def test_an_unknown_address_answers_410() -> None:
    answer = Browser().get(f"/PBX0/APPCLIENT/login/{uuid.uuid4()}/")

    assert answer.status_code == 410


def test_it_is_confirmed_by_the_page_alone(login: BrowserLogin) -> None:
    answer = Browser(enforce_csrf_checks=True).post(path_of(login))

    assert answer.status_code == 403
    assert state_of(login) == BrowserState.ASKED


def test_who_cancels_ends_it_for_the_application(login: BrowserLogin) -> None:
    answer = Browser().post(path_of(login), {"refuse": "yes"})

    assert "Nobody has been logged in" in answer.content.decode()
    assert state_of(login) == BrowserState.FAILED
    event = AuditEvent.objects.get(event=Event.LOGIN_REFUSED)
    assert (event.user, event.address) == (None, "127.0.0.1")
    assert event.detail == "in the browser, of a client at 127.0.0.1"


def test_a_login_that_the_provider_refuses_ends_for_the_application(
    login: BrowserLogin, script: Scripted
) -> None:
    script.claims["upn"] = "stranger@example.com"

    page = come_through(Browser(), login, script)

    assert "Reference" in page.content.decode()
    assert state_of(login) == BrowserState.FAILED


def test_a_required_factor_is_not_left_out_where_the_provider_says_who_it_is(
    login: BrowserLogin, script: Scripted, configure: SettingsSetter, user: PbxUser
) -> None:
    come_through(Browser(), login, script)
    configure(**HELD, factor_required=True)
    shown = logins.shown_in_browser(browser_logins.take(login))

    said = logins.go_on(shown, Origin("127.0.0.1", AGENT), "en")

    assert isinstance(said, logins.Failed)
    assert "Set up a passkey or an authenticator app first" in said.text
    assert not LoginSession.objects.exists()


def test_another_person_than_the_browsers_is_not_handed_over(
    login: BrowserLogin, script: Scripted
) -> None:
    PbxUser.objects.create_user("bert")
    browser = sign_in(PbxUser.objects.get(name="bert"))

    come_through(browser, login, script)

    assert state_of(login) == BrowserState.FAILED
    assert browser.get("/account/").context["user"].name == "bert"


def test_whoever_is_signed_in_for_long_is_asked_again_first(
    login: BrowserLogin, user: PbxUser
) -> None:
    browser = sign_in(user)
    session = browser.session
    session["began_at"] = 0
    session.save()

    answer = browser.post(path_of(login))

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/account/confirm/")
    assert state_of(login) == BrowserState.ASKED


def test_the_login_is_the_browsers_that_confirmed_it(
    login: BrowserLogin, script: Scripted
) -> None:
    """A stranger who holds the address cannot take the login of another browser."""
    Browser().post(path_of(login), follow=True)
    stranger = Browser()
    page = stranger.post("/login/oauth2/", follow=True)

    come_back(stranger, script.log_in(leads_to(page)))

    assert state_of(login) == BrowserState.CONFIRMED
