"""Second factors as users add, show and have them approved."""

from __future__ import annotations

import re
from datetime import timedelta

import time_machine
from allauth.mfa.models import Authenticator
from django.http import HttpResponse
from django.test import Client as Browser
from django.test import TestCase
from django.utils import timezone

from authconfig.users.models import PbxUser
from tests.support.attacks import accept_by_link
from tests.support.totp import totp
from verification.approval.choices import LoginState
from verification.approval.models import LoginSession
from verification.sessions import factors

FACTOR_PAGE = "/login/factor/"
WITHOUT = "/login/factor/without/"


def later(seconds: int = 30) -> time_machine.travel:
    """A code counts once, so that the next one is needed.

    The clock stands: no half minute ends between making a code and showing it.
    """
    return time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=False)


def add_app(signed_in: Browser) -> HttpResponse:
    page = signed_in.get("/account/factors/app/add/")
    secret = signed_in.session["mfa.totp.secret"]
    with later(0), TestCase.captureOnCommitCallbacks(execute=True):
        added = signed_in.post("/account/factors/app/add/", {"code": totp(secret)})
    assert added.url == "/account/factors/codes/"
    return page  # type: ignore[return-value]


def secret_in(page: HttpResponse) -> str:
    found = re.search(r'class="key">([A-Z2-7]+)<', page.content.decode())
    assert found
    return found[1]


def show_code(browser: Browser, code: str) -> HttpResponse:
    return browser.post(FACTOR_PAGE, {"code": code})  # type: ignore[return-value]


def approve_all(user: PbxUser) -> None:
    """Let the user's factors count, as if a login with each had been approved."""
    for factor in Authenticator.objects.filter(user=user):
        factors.approve(factor.pk, user=user, approver="email")


def finish_by_email(browser: Browser) -> LoginSession:
    """Accept the login that waits in the browser, which then goes on."""
    login = LoginSession.objects.get(state=LoginState.PENDING)
    accept_by_link(login)
    assert browser.post("/login/waiting/continue/").url == "/account/"
    return login


def is_signed_in(browser: Browser) -> bool:
    return browser.get("/account/").status_code == 200
