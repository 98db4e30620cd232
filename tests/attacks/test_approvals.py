"""Guessing codes, and approving the logins of others."""

from __future__ import annotations

import re

import pytest
from django.test import Client as Browser

from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from tests.conftest import PASSWORD, SettingsSetter, Starter
from tests.support.attacks import (
    decide_by_link,
    link_of,
    wrong_code,
)
from verification.approval.choices import LoginState
from verification.approval.models import LoginMail, LoginSession
from verification.approval.tokens import approval_code

pytestmark = pytest.mark.django_db


def test_three_guesses_end_the_login(held: LoginSession, browser: Browser) -> None:
    statuses = [
        decide_by_link(held, "accept", wrong_code(held)).status_code for _ in range(3)
    ]

    assert statuses == [200, 200, 410]
    assert decide_by_link(held, "accept", approval_code(held)).status_code == 410
    assert browser.post("/login/waiting/continue/").url == "/login/waiting/"


def test_guesses_by_link_and_in_a_session_count_together(
    start: Starter, configure: SettingsSetter, two_factor: AuthenticationSettings
) -> None:
    configure(two_factor=False)
    existing = Browser()
    start(existing)
    configure(two_factor=True)
    start(Browser())
    login = LoginSession.objects.get()
    guess = {"decision": "accept", "code": wrong_code(login)}

    existing.post(f"/account/approvals/{login.pk}/", guess)
    decide_by_link(login, "accept", wrong_code(login))
    existing.post(f"/account/approvals/{login.pk}/", guess)

    login.refresh_from_db()
    assert login.status == "wrong_codes"


def test_a_new_link_gives_no_new_guesses(held: LoginSession) -> None:
    decide_by_link(held, "accept", wrong_code(held))
    LoginSession.objects.update(link_number=2)
    LoginMail.objects.update(link_number=2)
    held.refresh_from_db()

    assert held.code_tries == 1
    page = decide_by_link(held, "accept", wrong_code(held)).content.decode()
    assert "1 try is left" in page


def test_the_code_is_nowhere_but_on_the_waiting_page(
    held: LoginSession, browser: Browser, admin_client_myapps: Browser
) -> None:
    code = rf"(?<![\w.:-]){approval_code(held)}(?![\w-])"
    pages = [
        Browser().get(link_of(held)),
        browser.get("/login/"),
        admin_client_myapps.get("/admin/approval/loginsession/"),
        admin_client_myapps.get(f"/admin/approval/loginsession/{held.pk}/change/"),
    ]

    assert re.search(code, browser.get("/login/waiting/").content.decode())
    for page in pages:
        text = re.sub(r"<time.*?</time>|value=\"[^\"]*\"", "", page.content.decode())
        assert not re.search(code, text), page.request["PATH_INFO"]


def test_nobody_approves_another_users_login(
    held: LoginSession, admin_client_myapps: Browser
) -> None:
    for decision in ("accept", "reject"):
        answer = admin_client_myapps.post(
            f"/account/approvals/{held.pk}/",
            {"decision": decision, "code": approval_code(held)},
        )
        assert answer.status_code == 410

    held.refresh_from_db()
    assert held.state == LoginState.PENDING


def test_a_pending_browser_approves_neither_itself_nor_another(
    held: LoginSession, browser: Browser, administrator: PbxUser
) -> None:
    other = Browser()
    other.post("/login/", {"login": "admin", "password": PASSWORD})
    logins = list(LoginSession.objects.pending())
    assert len(logins) == 2

    for pending in (browser, other):
        for login in logins:
            decision = {"decision": "accept", "code": approval_code(login)}
            answer = pending.post(f"/account/approvals/{login.pk}/", decision)
            assert answer.url.startswith("/login/?next=")
        assert pending.post("/login/waiting/continue/").url == "/login/waiting/"
    assert LoginSession.objects.pending().count() == 2


def test_a_session_without_second_factor_approves_nothing(
    held: LoginSession, start: Starter
) -> None:
    mypbx = Browser()
    start(mypbx, path="/mypbx/login/")

    answer = mypbx.post(
        f"/account/approvals/{held.pk}/",
        {"decision": "accept", "code": approval_code(held)},
    )

    assert answer.status_code == 403


def test_the_link_of_one_login_decides_about_no_other(
    held: LoginSession, start: Starter
) -> None:
    old = link_of(held)
    start(Browser())
    newer = LoginSession.objects.pending().get()

    answer = Browser().post(old, {"decision": "accept", "code": approval_code(newer)})

    assert answer.status_code == 410
    newer.refresh_from_db()
    assert newer.state == LoginState.PENDING
