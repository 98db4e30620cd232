"""Fixing and stealing sessions."""

from __future__ import annotations

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client as Browser

from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from tests.conftest import Starter
from tests.support.attacks import CONTINUE, accept_by_link, last_page
from verification.approval.models import LoginSession

pytestmark = pytest.mark.django_db


def test_a_session_key_from_before_is_worth_nothing(
    held: LoginSession, browser: Browser
) -> None:
    thief = Browser()
    thief.cookies = browser.cookies.copy()
    key = browser.session.session_key
    accept_by_link(held)

    browser.post("/login/waiting/continue/")

    assert browser.session.session_key != key
    assert thief.get("/account/").status_code == 302
    assert last_page(thief.post(CONTINUE, follow=True)) == "/login/"


def plant(thief: Browser, browser: Browser) -> None:
    """Put the thief's session into the victim's browser, as a neighbouring host may."""
    assert thief.session.session_key
    browser.cookies = thief.cookies.copy()


def test_a_session_from_before_the_password_takes_no_held_login(
    two_factor: AuthenticationSettings, browser: Browser, start: Starter
) -> None:
    thief = Browser()
    plant(thief, browser)

    start(browser)

    assert thief.get("/login/waiting/").url == "/login/"
    accept_by_link(LoginSession.objects.get())
    assert last_page(thief.post(CONTINUE, follow=True)) == "/login/"
    assert browser.post("/login/waiting/continue/").url == "/account/"


def test_a_strangers_signed_in_session_takes_no_held_login(
    two_factor: AuthenticationSettings,
    administrator: PbxUser,
    browser: Browser,
    start: Starter,
) -> None:
    thief = Browser()
    start(thief, "admin", path="/mypbx/login/")
    plant(thief, browser)

    start(browser)

    assert thief.get("/login/waiting/").url == "/login/"
    assert thief.get("/account/").url.startswith("/login/")
    listed = UserSession.objects.get()
    assert listed.session_key == browser.session.session_key


def test_a_planted_key_is_not_taken(browser: Browser, start: Starter) -> None:
    browser.cookies["pbx_session"] = "p" * 32

    start(browser)

    assert browser.cookies["pbx_session"].value != "p" * 32
    cookie = browser.cookies["pbx_session"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
