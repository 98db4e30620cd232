"""Whatever ends a user's sessions also ends his logins that are still under way."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.test import Client as Browser
from django.test import RequestFactory
from django.urls import reverse

from authconfig.choices import Event, Origin
from authconfig.models import AuthenticationSettings
from authconfig.users.changes import end_sessions, follow_session
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import PASSWORD, Starter
from tests.pbxsite.administration.users.test_users import change
from verification.approval import flows
from verification.approval.choices import Ending, LoginState
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.sessions.choices import Approver
from verification.sessions.lifecycle import PersistentSessions

BY_MAIL = {"approver": Approver.EMAIL, "origin": Origin("192.0.2.7", "Firefox")}
Cause = Callable[[Browser, PbxUser, Path], object]


def deactivate(admin: Browser, user: PbxUser, _: Path) -> None:
    change(admin, user, is_active="")
    change(admin, PbxUser.objects.get(pk=user.pk), is_active="on")


def deactivate_by_file(admin: Browser, user: PbxUser, directory: Path) -> None:
    file = directory / "users.csv"
    for active in (0, 1):
        row = f"{user.name},{user.long_name},{user.email},,{active}"
        file.write_text(f"name,long_name,email,number,active\n{row}\n")
        call_command("pbxusers", "import", str(file), stdout=StringIO())


def set_password(admin: Browser, user: PbxUser, _: Path) -> None:
    passwords = dict.fromkeys(("password1", "password2"), "another battery")
    admin.post(reverse("admin:auth_user_password_change", args=[user.pk]), passwords)


def remove_password(admin: Browser, user: PbxUser, _: Path) -> None:
    url = reverse("admin:auth_user_password_change", args=[user.pk])
    admin.post(url, {"usable_password": "false", "unset-password": ""})


def rescue(admin: Browser, user: PbxUser, _: Path) -> None:
    PbxUser.objects.filter(pk=user.pk).update(is_staff=True)
    call_command("rescue", user.name, stdout=StringIO(), stderr=StringIO())


CAUSES = [deactivate, deactivate_by_file, set_password, remove_password, rescue]


def accept(login: LoginSession) -> None:
    flows.accept(login, approval_code(login), **BY_MAIL)


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("accepted", [True, False])
def test_a_login_under_way_ends_with_the_users_sessions(
    held: LoginSession,
    browser: Browser,
    admin_client_myapps: Browser,
    tmp_path: Path,
    accepted: bool,
    cause: Cause,
) -> None:
    if accepted:
        accept(held)

    cause(admin_client_myapps, held.user, tmp_path)
    browser.post("/login/waiting/continue/")

    held.refresh_from_db()
    assert held.status == Ending.REVOKED
    assert PbxUser.objects.get(pk=held.user.pk).is_active
    assert browser.get("/account/").status_code == 302
    assert "Login ended" in browser.get("/login/waiting/").content.decode()
    ended = AuditEvent.objects.get(event=Event.LOGIN_ENDED)
    assert (ended.user, ended.detail) == (held.user, "revoked")


def test_a_link_of_such_a_login_opens_nothing_and_its_mail_stays_here(
    held: LoginSession,
) -> None:
    end_sessions([held.user])

    assert OutgoingEmail.objects.get().state == MailState.EXPIRED
    accept(held)
    held.refresh_from_db()
    assert held.state == LoginState.REJECTED


@pytest.mark.database
def test_other_users_and_logins_that_are_over_stay_as_they_are(
    held: LoginSession, browser: Browser, user: PbxUser, administrator: PbxUser
) -> None:
    accept(held)
    browser.post("/login/waiting/continue/")
    other = Browser()
    other.post("/login/", {"login": "admin", "password": PASSWORD})

    end_sessions([user])

    held.refresh_from_db()
    assert held.state == LoginState.COMPLETED
    assert LoginSession.objects.pending().get().user == administrator


def test_a_change_of_the_own_password_keeps_the_session_where_it_was_made(
    two_factor: AuthenticationSettings, user: PbxUser, start: Starter, browser: Browser
) -> None:
    start(browser)
    login = LoginSession.objects.get()
    accept(login)
    browser.post("/login/waiting/continue/")
    start(Browser())

    end_sessions([user], besides=browser.session.session_key or "")

    assert browser.get("/account/").status_code == 200
    assert UserSession.objects.count() == 1
    assert not LoginSession.objects.pending().exists()


def under_way(signed_in: Browser, user: PbxUser) -> HttpRequest:
    """Return a request of the browser whose session was read already."""
    request = RequestFactory().get("/account/")
    request.session, request.user = SessionStore(signed_in.session.session_key), user
    assert request.session["kind"] == "myapps"
    return request


@pytest.mark.database
def test_a_new_key_revives_no_session_that_ended_while_it_was_made(
    signed_in: Browser, user: PbxUser
) -> None:
    request = under_way(signed_in, user)

    def work(request: HttpRequest) -> HttpResponse:
        end_sessions([user])
        request.session.cycle_key()
        return HttpResponse()

    PersistentSessions(work)(request)

    assert not Session.objects.exists()


@pytest.mark.database
def test_a_session_ends_under_the_key_that_it_has_by_then(
    signed_in: Browser, user: PbxUser
) -> None:
    request, chosen = under_way(signed_in, user), list(UserSession.objects.all())
    before = request.session.session_key or ""
    request.session.cycle_key()
    follow_session(before, request.session.session_key or "")

    get_adapter().end_sessions(chosen)

    assert not Session.objects.exists()
    assert not UserSession.objects.exists()
