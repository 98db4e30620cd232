from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from authconfig.choices import Event
from authconfig.models import AuthenticationSettings
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import PASSWORD, SettingsSetter, Starter
from tests.support.browsers import sign_in
from verification.approval.choices import Ending, LoginState
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code, link_token
from verification.mail.models import OutgoingEmail
from verification.sessions.choices import Approver

pytestmark = pytest.mark.django_db


def link_of(login: LoginSession) -> str:
    return f"/PBX0/session.xml?{urlencode({'id': link_token(login)})}"


def accept(browser: Browser, login: LoginSession, code: str = "") -> int:
    data = {"code": code or approval_code(login), "decision": "accept"}
    return browser.post(link_of(login), data).status_code


def snapshot() -> list[object]:
    return [
        *LoginSession.objects.order_by("pk").values(),
        *OutgoingEmail.objects.order_by("pk").values(),
        *AuditEvent.objects.order_by("pk").values(),
    ]


def test_a_held_login_shows_its_code_on_the_waiting_page_alone(
    browser: Browser, held: LoginSession
) -> None:
    page = browser.get("/login/waiting/").content.decode()

    match = re.search(r'id="approval-code"[^>]*>\s*(\d{4})\s*<', page)
    assert match
    assert match[1] == approval_code(held)
    assert 'id="continue"' not in page
    assert browser.get("/account/").status_code == 302


def test_an_accepted_login_continues_in_the_browser_that_asked(
    browser: Browser, held: LoginSession
) -> None:
    key_before = browser.session.session_key

    assert accept(Browser(), held) == 200
    page = browser.get("/login/waiting/").content.decode()
    assert re.search(r'<form[^>]*id="continue"', page)
    response = browser.post("/login/waiting/continue/")

    assert response.url == "/account/"
    assert browser.session.session_key != key_before
    assert not Session.objects.filter(session_key=key_before).exists()
    assert browser.get("/account/").status_code == 200


def test_the_wanted_page_is_reached_after_the_approval(
    two_factor: AuthenticationSettings, administrator: PbxUser, browser: Browser
) -> None:
    browser.post("/login/?next=/admin/", {"login": "admin", "password": PASSWORD})
    accept(Browser(), LoginSession.objects.get())

    response = browser.post("/login/waiting/continue/")

    assert response.url == "/admin/"
    assert browser.get("/admin/").status_code == 200


def test_the_link_signs_nobody_in(held: LoginSession) -> None:
    other = Browser()

    accept(other, held)

    assert other.get("/account/").status_code == 302
    assert other.post("/login/waiting/continue/").url == "/login/waiting/"


def test_continuing_before_the_approval_changes_nothing(
    browser: Browser, held: LoginSession
) -> None:
    assert browser.post("/login/waiting/continue/").url == "/login/waiting/"
    assert browser.get("/account/").status_code == 302


def test_continuing_twice_makes_one_session(
    browser: Browser, held: LoginSession
) -> None:
    accept(Browser(), held)
    copy = Browser()
    copy.cookies = browser.cookies.copy()

    responses = [b.post("/login/waiting/continue/").url for b in (browser, copy)]

    assert responses == ["/account/", "/login/waiting/"]
    assert AuditEvent.objects.filter(event=Event.LOGIN).count() == 1


def test_a_rejection_needs_no_code_and_ends_the_waiting(
    browser: Browser, held: LoginSession
) -> None:
    response = Browser().post(link_of(held), {"decision": "reject"})

    assert response.status_code == 200
    page = browser.get("/login/waiting/").content.decode()
    assert 'id="approval-code"' not in page
    assert 'id="continue"' not in page
    assert browser.post("/login/waiting/continue/").url == "/login/waiting/"


@pytest.mark.parametrize("method", ["head", "get", "options"])
def test_opening_the_link_changes_nothing(held: LoginSession, method: str) -> None:
    before = snapshot()

    getattr(Browser(), method)(link_of(held))

    assert snapshot() == before


def test_a_used_link_answers_410(held: LoginSession) -> None:
    accept(Browser(), held)

    assert Browser().get(link_of(held)).status_code == 410
    assert accept(Browser(), held) == 410


def test_an_expired_link_answers_410(held: LoginSession) -> None:
    address = link_of(held)

    with time_machine.travel(timezone.now() + timedelta(minutes=10, seconds=1)):
        assert Browser().get(address).status_code == 410
        assert Browser().post(address, {"decision": "reject"}).status_code == 410


@pytest.mark.parametrize(
    "spoiled",
    ["{}.", "{}%3E", "{}%253E", "%3C{}%3E,", "{}%29.", "{}%20", "{}%E2%80%9D"],
)
@pytest.mark.parametrize("escapes", [0, 1, 2])
def test_a_link_as_mail_programs_leave_it_still_opens(
    held: LoginSession, spoiled: str, escapes: int
) -> None:
    token = link_token(held)
    for _ in range(escapes):
        token = quote(token, safe="")
    address = f"/PBX0/session.xml?id={spoiled.format(token)}"

    assert Browser().get(address).status_code == 200
    answer = Browser().post(address, {"decision": "reject"}, follow=True)
    assert answer.status_code == 200
    held.refresh_from_db()
    assert held.status == LoginState.REJECTED


def test_an_unknown_link_answers_410() -> None:
    assert Browser().get("/PBX0/session.xml?id=unknown").status_code == 410
    assert Browser().get("/PBX0/session.xml").status_code == 410


def test_wrong_codes_say_how_many_tries_are_left(held: LoginSession) -> None:
    wrong = f"{(int(approval_code(held)) + 1) % 10_000:04d}"

    first = Browser().post(link_of(held), {"code": wrong, "decision": "accept"})
    codes = [accept(Browser(), held, wrong) for _ in range(2)]

    assert "2 tries are left" in first.content.decode()
    assert codes == [200, 410]


def test_a_code_that_is_no_code_costs_no_try(held: LoginSession) -> None:
    Browser().post(link_of(held), {"code": "12", "decision": "accept"})

    held.refresh_from_db()
    assert held.code_tries == 0


def test_the_links_page_does_not_show_the_code(held: LoginSession) -> None:
    page = Browser().get(link_of(held)).content.decode()

    assert not re.search(rf"\b{approval_code(held)}\b", page)


def test_cancelling_ends_the_login(browser: Browser, held: LoginSession) -> None:
    browser.get("/login/waiting/")
    assert browser.post("/login/waiting/cancel/").url == "/login/"

    held.refresh_from_db()
    assert held.status == "cancelled"
    assert "You cancelled this login" in browser.get("/login/waiting/").content.decode()


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ("", "This login was not confirmed in time"),
        ("accepted", "was accepted, but this page did not go on in time"),
        (Ending.REJECTED, "This login was rejected by e-mail or in another session"),
        (Ending.WRONG_CODES, "Wrong digits were entered three times"),
        (Ending.SUPERSEDED, "Someone logged in with this account after you"),
        (Ending.ENDED, "An administrator may have ended it"),
    ],
)
def test_after_a_long_sleep_the_page_says_how_the_login_ended(
    browser: Browser, held: LoginSession, ending: str, words: str
) -> None:
    browser.get("/login/waiting/")
    if ending == "accepted":
        accept(Browser(), held)
    elif ending:
        LoginSession.objects.update(
            state=LoginState.REJECTED, ending=ending, decided_at=timezone.now()
        )

    with time_machine.travel(timezone.now() + timedelta(hours=8)):
        pages = [browser.get("/login/waiting/") for _look in range(2)]
        gone_on = browser.post("/login/waiting/continue/", follow=True)

    for page in (*pages, gone_on):
        assert page.status_code == 200
        assert words in page.content.decode()
        assert "Log in again" in page.content.decode()


def test_a_browser_learns_of_its_own_login_alone(
    browser: Browser, held: LoginSession
) -> None:
    browser.get("/login/waiting/")
    forged = Browser()
    forged.cookies["pbx_waited"] = f"{held.public_id}:1abcde:forged"

    with time_machine.travel(timezone.now() + timedelta(hours=8)):
        assert forged.get("/login/waiting/").url == "/login/"


def test_a_browser_that_lost_its_login_is_told_so(
    browser: Browser, held: LoginSession
) -> None:
    del browser.cookies["pbx_session"]

    browser.get("/login/waiting/")
    page = browser.get("/login/waiting/", follow=True)

    assert page.redirect_chain == [("/login/", 302)]
    assert page.content.decode().count("No login is waiting in this browser") == 1


def test_a_login_that_went_on_is_told_of_no_more(
    browser: Browser, held: LoginSession
) -> None:
    accept(Browser(), held)
    browser.get("/login/waiting/")
    browser.post("/login/waiting/continue/")

    page = browser.get("/login/waiting/", follow=True)

    assert page.redirect_chain[-1][0] == "/account/"
    assert "No login is waiting" not in page.content.decode()


def test_another_account_takes_the_waiting_ones_place(
    browser: Browser, held: LoginSession, administrator: PbxUser
) -> None:
    browser.post("/login/", {"login": "admin", "password": PASSWORD})

    assert "admin" in browser.get("/login/waiting/").content.decode()


def test_a_user_deleted_while_waiting_is_no_error(
    browser: Browser, held: LoginSession, user: PbxUser
) -> None:
    user.delete()

    assert browser.get("/login/waiting/").url == "/login/"
    assert browser.post("/login/waiting/continue/").url == "/login/waiting/"


def test_a_mypbx_session_decides_nothing_and_opens_no_admin(
    two_factor: AuthenticationSettings, administrator: PbxUser
) -> None:
    mypbx, myapps = Browser(), Browser()
    credentials = {"login": "admin", "password": PASSWORD}
    mypbx.post("/mypbx/login/", credentials)
    myapps.post("/login/", credentials)
    login = LoginSession.objects.get()
    decision = {"decision": "accept", "code": approval_code(login)}
    address = reverse("verification:decide_here", args=[login.pk])

    assert address not in mypbx.get("/account/").content.decode()
    assert mypbx.post(address, decision).status_code == 403
    assert mypbx.get("/admin/").status_code == 302
    assert mypbx.get("/admin/users/pbxuser/").status_code == 302
    others = mypbx.post(reverse("verification:end_other_sessions"))
    assert others.status_code == 403
    login.refresh_from_db()
    assert login.state == LoginState.PENDING


def test_an_existing_session_approves(
    browser: Browser,
    start: Starter,
    two_factor: AuthenticationSettings,
    configure: SettingsSetter,
) -> None:
    configure(two_factor=False)
    existing = Browser()
    start(existing)
    configure(two_factor=True)
    start(browser)
    login = LoginSession.objects.get()

    page = existing.get("/account/").content.decode()
    address = reverse("verification:decide_here", args=[login.pk])
    assert re.search(r'<form[^>]*class="[^"]*approval', page)
    existing.post(address, {"decision": "accept", "code": approval_code(login)})

    login.refresh_from_db()
    # It began with a password alone.
    assert (login.state, login.approver) == (LoginState.ACCEPTED, Approver.UNAPPROVED)


def test_a_pending_login_decides_nothing(browser: Browser, held: LoginSession) -> None:
    address = reverse("verification:decide_here", args=[held.pk])

    response = browser.post(
        address, {"decision": "accept", "code": approval_code(held)}
    )

    assert response.status_code == 302
    held.refresh_from_db()
    assert held.state == LoginState.PENDING


def test_nobody_decides_about_another_users_login(
    held: LoginSession, admin_client_myapps: Browser
) -> None:
    address = reverse("verification:decide_here", args=[held.pk])

    response = admin_client_myapps.post(
        address, {"decision": "accept", "code": approval_code(held)}
    )

    assert response.status_code == 410


def test_a_user_ends_another_session(start: Starter) -> None:
    first, second = Browser(), Browser()
    start(first)
    start(second)
    page = second.get("/account/").content.decode()
    pks = re.findall(r"/account/sessions/(\d+)/end/", page)

    second.post(reverse("verification:end_session", args=[pks[-1]]))

    assert second.get("/account/").status_code == 200
    assert first.get("/account/").status_code == 302


def test_nobody_ends_another_users_session(
    start: Starter, admin_client_myapps: Browser, user: PbxUser
) -> None:
    browser = Browser()
    start(browser)
    pk = user.usersession_set.get().pk

    ended = admin_client_myapps.post(reverse("verification:end_session", args=[pk]))

    assert ended.status_code == 404
    assert browser.get("/account/").status_code == 200


@pytest.mark.parametrize(
    "name", ["proceed", "cancel", "send_again", "end_other_sessions"]
)
def test_what_changes_something_asks_for_a_post(name: str, start: Starter) -> None:
    browser = Browser()
    start(browser)

    assert browser.get(reverse(f"verification:{name}")).status_code == 405


def test_every_post_asks_for_the_csrf_token(held: LoginSession) -> None:
    strict = Browser(enforce_csrf_checks=True)
    addresses = [
        "/login/",
        "/mypbx/login/",
        "/login/waiting/continue/",
        "/login/waiting/cancel/",
        "/login/waiting/send-again/",
        link_of(held),
    ]

    assert {strict.post(address).status_code for address in addresses} == {403}


@pytest.mark.parametrize("path", ["/login/", "/login/waiting/", "/PBX0/session.xml"])
def test_pages_are_guarded_by_headers(browser: Browser, path: str) -> None:
    response = browser.get(path)

    assert "no-store" in response["Cache-Control"]
    assert response["Referrer-Policy"] == "same-origin"
    assert response["X-Frame-Options"] == "DENY"
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_three_wrong_codes_and_a_used_link_tell_different_stories(
    browser: Browser, held: LoginSession, start: Starter
) -> None:
    wrong = f"{(int(approval_code(held)) + 1) % 10_000:04d}"
    data = {"code": wrong, "decision": "accept"}
    answers = [Browser().post(link_of(held), data) for _ in range(3)]
    again = Browser().get(link_of(held))
    start(browser)
    newer = LoginSession.objects.get(state=LoginState.PENDING)
    accept(Browser(), newer)
    used = Browser().get(link_of(newer))

    for answer in (answers[2], again):
        assert answer.status_code == 410
        assert "Wrong digits were entered three times" in answer.content.decode()
    assert used.status_code == 410
    assert "This login was accepted already." in used.content.decode()
    assert "Wrong digits" not in used.content.decode()


def test_the_decision_has_one_pair_of_words(held: LoginSession, user: PbxUser) -> None:
    session = sign_in(user)
    for page in (Browser().get(link_of(held)), session.get("/account/")):
        html = page.content.decode()
        assert re.search(r'value="accept"[^>]*>Accept<', html)
        assert re.search(r'value="reject"[^>]*>Reject<', html)
        assert "It is me" not in html
        assert "It is not me" not in html
