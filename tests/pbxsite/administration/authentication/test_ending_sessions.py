"""Switching two-factor on offers to end the sessions that never passed it."""

from __future__ import annotations

import pytest
from allauth.usersessions.models import UserSession
from django.core.management import call_command
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import Starter
from tests.support.settings_data import posted

pytestmark = pytest.mark.django_db
PAGE = "/admin/authconfig/authenticationsettings/"
OFFER = "End the other myApps session that nobody approved"


@pytest.fixture
def admin(administrator: PbxUser, start: Starter) -> Browser:
    browser = Browser()
    start(browser, "admin")
    return browser


def is_signed_in(browser: Browser) -> bool:
    return browser.get("/account/").status_code == 200


@pytest.mark.database
def test_the_page_offers_it_and_does_it(
    ready: AuthenticationSettings, admin: Browser, start: Starter
) -> None:
    myapps, mypbx = Browser(), Browser()
    start(myapps)
    start(mypbx, path="/mypbx/login/")
    assert OFFER in admin.get(PAGE).content.decode()

    answer = admin.post(PAGE, posted(two_factor="on") | {"end_sessions": "on"})

    assert answer.url == PAGE  # type: ignore[attr-defined]
    assert not is_signed_in(myapps)
    assert is_signed_in(mypbx)
    assert is_signed_in(admin)
    event = AuditEvent.objects.get(event=Event.SESSION_ENDED)
    assert (event.user.name, event.actor.name) == ("anna", "admin")  # type: ignore[union-attr]
    assert "End the" not in admin.get(PAGE).content.decode()


def test_left_alone_they_go_on(
    ready: AuthenticationSettings, admin: Browser, start: Starter
) -> None:
    myapps = Browser()
    start(myapps)

    admin.post(PAGE, posted(two_factor="on"))

    assert AuthenticationSettings.load().two_factor
    assert is_signed_in(myapps)


def test_nothing_ends_when_nothing_is_saved(admin: Browser, start: Starter) -> None:
    myapps = Browser()
    start(myapps)

    admin.post(PAGE, posted(two_factor="on") | {"end_sessions": "on"})

    assert not AuthenticationSettings.load().two_factor
    assert is_signed_in(myapps)


@pytest.mark.parametrize("words", [(), ("--end-sessions",)])
def test_the_command_line_says_how_many_and_ends_them_when_told(
    ready: AuthenticationSettings,
    user: PbxUser,
    start: Starter,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
) -> None:
    myapps = Browser()
    start(myapps)

    call_command("authconfig", "set", "two_factor=on", *words)

    said = capsys.readouterr()
    assert is_signed_in(myapps) is not bool(words)
    assert ("1 session that nobody approved was ended." in said.out) is bool(words)
    assert ("--end-sessions ends them" in said.err) is not bool(words)


@pytest.mark.database
def test_a_session_that_was_approved_stays(
    ready: AuthenticationSettings, admin: Browser, start: Starter
) -> None:
    approved = Browser()
    start(approved)
    UserSession.objects.filter(user__name="anna").update(
        data={"kind": "myapps", "method": "pbx", "approver": "email"}
    )

    assert "End the" not in admin.get(PAGE).content.decode()
    admin.post(PAGE, posted(two_factor="on") | {"end_sessions": "on"})

    assert is_signed_in(approved)
