"""Whose session a ticket shows, and what ends it."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import pytest
import time_machine
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import AuthenticationType
from authconfig.clients.choices import AsksBy
from authconfig.clients.models import ClientApplication
from authconfig.users.changes import end_sessions
from authconfig.users.models import PbxUser
from pbxsite.gateway.forward.lookups import look_up
from pbxsite.gateway.forward.requests import Ticket
from pbxsite.gateway.forward.tokens import Pass, make_cookie
from tests.conftest import PASSWORD, SettingsSetter, Starter
from verification.sessions.lifecycle import noted

pytestmark = pytest.mark.django_db
HOST = "apps.example.com"
OK, LOG_IN = HTTPStatus.OK, HTTPStatus.UNAUTHORIZED


def by_session(browser: Browser, slug: str = "myapps") -> Ticket:
    return Ticket(slug, browser.session.session_key or "", "", "")


def by_cookie(slug: str = "myapps", host: str = HOST, **shown: Any) -> Ticket:
    facts = {"session_pk": UserSession.objects.get().pk, "slug": slug, "host": host}
    return Ticket(slug, "", make_cookie(Pass(**(facts | shown))), host)


def status(ticket: Ticket) -> HTTPStatus:
    return look_up([ticket])[ticket].status


def test_a_session_opens_the_clients_of_its_kind_alone(signed_in: Browser) -> None:
    ClientApplication.objects.create(name="Chat", slug="chat", kind="myapps")
    ClientApplication.objects.create(name="Old", slug="old", kind="mypbx")

    opened = [status(by_session(signed_in, s)) for s in ("myapps", "chat")]
    shut = [status(by_session(signed_in, s)) for s in ("mypbx", "old")]

    assert (opened, shut) == ([OK, OK], [LOG_IN, LOG_IN])


def test_a_mypbx_session_never_opens_a_myapps_client(
    start: Starter, browser: Browser
) -> None:
    start(browser, path="/mypbx/login/")

    assert status(by_session(browser, "mypbx")) is OK
    assert status(by_session(browser, "myapps")) is LOG_IN
    assert status(by_cookie("mypbx")) is OK
    assert status(by_cookie("myapps")) is LOG_IN


def test_a_login_that_waits_opens_nothing(
    two_factor: object, start: Starter, browser: Browser
) -> None:
    start(browser)

    assert status(by_session(browser)) is LOG_IN


def test_a_clients_cookie_is_for_its_client_and_its_host(signed_in: Browser) -> None:
    right = by_cookie()

    assert status(right) is OK
    assert status(by_cookie(host="evil.example")) is OK
    for wrong in (
        right._replace(host="evil.example"),
        right._replace(host=""),
        right._replace(slug="mypbx"),
        right._replace(client_cookie=right.client_cookie[:-1] + "x"),
        right._replace(client_cookie="x"),
        by_cookie(session_pk=0),
    ):
        assert status(wrong) is LOG_IN


def test_an_unknown_client_is_not_found(signed_in: Browser) -> None:
    assert status(by_session(signed_in, "nobody")) is HTTPStatus.NOT_FOUND


def test_a_client_of_another_way_is_told_so(signed_in: Browser) -> None:
    ClientApplication.objects.filter(slug="myapps").update(asks_by=AsksBy.OPENID)

    assert status(by_session(signed_in)) is HTTPStatus.FORBIDDEN


def test_ending_sessions_shuts_every_client(signed_in: Browser, user: PbxUser) -> None:
    tickets = [by_session(signed_in), by_cookie()]

    end_sessions([user])

    assert [status(ticket) for ticket in tickets] == [LOG_IN, LOG_IN]


def test_account_security_ends_a_session_everywhere(
    signed_in: Browser, start: Starter
) -> None:
    ticket, pk = by_cookie(), UserSession.objects.get().pk
    other = Browser()
    start(other)

    other.post(f"/account/sessions/{pk}/end/")

    assert status(ticket) is LOG_IN
    assert status(by_session(other)) is OK


def test_logging_out_shuts_every_client(signed_in: Browser) -> None:
    tickets = [by_session(signed_in), by_cookie()]

    signed_in.post("/logout/")

    assert [status(ticket) for ticket in tickets] == [LOG_IN, LOG_IN]


def test_the_admin_ends_a_session_everywhere(
    signed_in: Browser, admin_client_myapps: Browser
) -> None:
    ticket = by_session(signed_in)
    session = UserSession.objects.get(session_key=ticket.session_key)

    admin_client_myapps.post(
        "/admin/usersessions/usersession/",
        {"action": "end_selected", "_selected_action": session.pk, "confirmed": "yes"},
    )

    assert status(ticket) is LOG_IN


def test_a_user_who_is_not_active_is_shut_out(
    signed_in: Browser, user: PbxUser
) -> None:
    ticket = by_session(signed_in)

    PbxUser.objects.filter(pk=user.pk).update(is_active=False)

    assert status(ticket) is LOG_IN


def test_another_password_shuts_every_client(signed_in: Browser, user: PbxUser) -> None:
    ticket = by_session(signed_in)

    user.set_password("another long password")
    user.save()

    assert status(ticket) is LOG_IN


def test_the_own_new_password_shuts_no_client(signed_in: Browser) -> None:
    cookie = by_cookie()
    words = {
        "old_password": PASSWORD,
        "new_password1": "another long password",
        "new_password2": "another long password",
    }

    assert signed_in.post("/account/password/", words).status_code == 302

    assert status(cookie) is OK
    assert status(by_session(signed_in)) is OK


def test_a_policy_that_closes_mypbx_shuts_its_clients(
    start: Starter, browser: Browser, configure: SettingsSetter
) -> None:
    start(browser, path="/mypbx/login/")
    ticket = by_session(browser, "mypbx")
    assert status(ticket) is OK

    configure(
        authentication_type=AuthenticationType.OAUTH2_ONLY,
        oauth2_provider_name="Windows",
        oauth2_well_known_url="https://idp.example/",
        oauth2_client_id="pbx",
    )

    assert status(ticket) is LOG_IN


@pytest.mark.database
def test_an_expired_session_is_over_before_it_is_swept(signed_in: Browser) -> None:
    ticket = by_session(signed_in)

    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))

    assert status(ticket) is LOG_IN


def test_idle_time_moves_by_the_use_of_clients_alone(signed_in: Browser) -> None:
    ticket, now = by_session(signed_in), timezone.now()

    for days in range(0, 90, 25):
        with time_machine.travel(now + timedelta(days=days)):
            noted.forget()
            assert status(ticket) is OK
    with time_machine.travel(now + timedelta(days=91)):
        assert status(ticket) is LOG_IN


@pytest.mark.database
def test_use_is_noted_once_a_minute_and_shown_in_account_security(
    signed_in: Browser, django_assert_num_queries: Any
) -> None:
    ticket, now = by_session(signed_in), timezone.now()

    with time_machine.travel(now + timedelta(minutes=5)):
        look_up([ticket])
        with django_assert_num_queries(4):
            look_up([ticket])

    seen = UserSession.objects.get().last_seen_at
    assert timedelta(minutes=4) < seen - now < timedelta(minutes=6)


@pytest.mark.database
def test_many_tickets_cost_as_many_queries_as_one(
    signed_in: Browser, django_assert_num_queries: Any
) -> None:
    tickets = {by_session(signed_in), by_cookie()}
    strangers = {Ticket("myapps", f"{n:032}", f"{n}", HOST) for n in range(100)}
    look_up(tickets)

    with django_assert_num_queries(5):
        found = look_up(tickets | strangers)

    assert {found[ticket].status for ticket in tickets} == {OK}
    assert {found[ticket].status for ticket in strangers} == {LOG_IN}


@pytest.mark.database
def test_a_session_that_ends_while_it_is_renewed_stays_ended(
    signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = by_session(signed_in)
    later = timezone.now() + timedelta(days=5)

    def end_first(keys: Any) -> None:
        Session.objects.all().delete()

    monkeypatch.setattr("verification.sessions.lifecycle.note_use", end_first)
    with time_machine.travel(later):
        look_up([ticket])

    assert not Session.objects.exists()


def test_a_client_that_is_to_know_groups_is_told_them(
    signed_in: Browser, django_assert_num_queries: Any
) -> None:
    names = ("Sales, North", "Büro")
    user = PbxUser.objects.get(name="anna")
    user.groups.set([Group.objects.create(name=name) for name in names])
    ticket = by_session(signed_in)
    assert dict(look_up([ticket])[ticket].headers)[b"remote-groups"] == b""

    ClientApplication.objects.update(tells_groups=True)

    with django_assert_num_queries(5):
        told = dict(look_up([ticket])[ticket].headers)[b"remote-groups"].decode()
    assert told == "B%C3%BCro,Sales%2C North"
    assert [unquote(name) for name in told.split(",")] == sorted(names)
    user.groups.clear()
    assert dict(look_up([ticket])[ticket].headers)[b"remote-groups"] == b""
