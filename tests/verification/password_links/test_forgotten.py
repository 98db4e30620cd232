"""A forgotten password: who gets a link, and what follows from using it."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import AuthenticationType, Event
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter, Starter
from tests.support.password_links import (
    NEW,
    deliver,
    forget,
    links,
    set_password,
)
from tests.support.smtp_servers import Server
from tests.verification.login.test_rescue import PROVIDERS
from verification.password_links.models import ForgottenRequest, PasswordLink

pytestmark = pytest.mark.django_db


@pytest.mark.database
def test_a_link_sets_a_password_and_ends_the_sessions(
    server: Server, start: Starter, user: PbxUser
) -> None:
    signed_in = Browser()
    start(signed_in)
    forget()
    deliver()
    [link] = links(server)

    assert "All your sessions are ended." in Browser().get(link).content.decode()
    answer = set_password(link)

    user.refresh_from_db()
    assert (answer.status_code, answer["Location"]) == (
        302,
        "/account/password/set/done/",
    )
    assert user.check_password(NEW)
    assert signed_in.get("/account/").status_code == 302
    assert start(Browser(), password=NEW).url == "/account/"
    event = AuditEvent.objects.filter(event=Event.PASSWORD_CHANGED).get()
    assert event.detail == "by a link (forgotten)"


def test_the_owner_is_told_by_e_mail(server: Server, user: PbxUser) -> None:
    forget()
    deliver()
    set_password(links(server)[0])
    deliver()

    told = server.mails[-1].message
    assert told["Subject"] == "PBX: your password was set"
    assert told["To"] == user.email


@pytest.mark.parametrize(
    "changed",
    [
        {"email": ""},
        {"is_active": False},
        {"password": "!nothing"},
    ],
    ids=["no address", "inactive", "no PBX password"],
)
def test_who_gets_no_link_and_hears_the_same(
    server: Server, user: PbxUser, changed: dict[str, object]
) -> None:
    PbxUser.objects.update(**changed)

    forget()
    forget("nobody")
    deliver()

    assert not server.mails
    assert not PasswordLink.objects.exists()
    assert not ForgottenRequest.objects.exists()


@pytest.mark.parametrize(
    ("type_", "is_offered"),
    [
        (AuthenticationType.PBX_ONLY, True),
        (AuthenticationType.NETLOGON_ONLY, False),
        (AuthenticationType.PBX_AND_NETLOGON, True),
        (AuthenticationType.OAUTH2_ONLY, False),
        (AuthenticationType.PBX_AND_OAUTH2, True),
    ],
)
@pytest.mark.parametrize("path", ["/login/", "/mypbx/login/"], ids=["myApps", "myPBX"])
def test_the_login_pages_offer_it_where_the_pbx_password_is_in_use(
    server: Server,
    configure: SettingsSetter,
    browser: Browser,
    path: str,
    type_: AuthenticationType,
    is_offered: bool,
) -> None:
    configure(authentication_type=type_, **PROVIDERS)

    page = browser.get(path).content.decode()

    assert (f'href="{path}forgot/"' in page) is is_offered
    status = 200 if is_offered else 404
    assert browser.get(f"{path}forgot/").status_code == status


@pytest.mark.parametrize(
    "rules",
    [
        {"forgotten_password": False},
        {"password_changes_forbidden": True},
        {"smtp_server": ""},
        {"smtp_email_address": ""},
    ],
    ids=lambda rules: next(iter(rules)),
)
def test_what_switches_it_off(
    server: Server,
    configure: SettingsSetter,
    browser: Browser,
    rules: dict[str, object],
) -> None:
    configure(**rules)

    assert "/login/forgot/" not in browser.get("/login/").content.decode()
    assert browser.post("/login/forgot/", {"login": "anna"}).status_code == 404


def test_a_link_works_as_long_as_the_settings_say(
    server: Server, configure: SettingsSetter, user: PbxUser
) -> None:
    configure(forgotten_password_minutes=7)
    forget()
    deliver()
    [link] = links(server)

    for minutes, status in ((6, 200), (8, 410)):
        with time_machine.travel(timezone.now() + timedelta(minutes=minutes)):
            assert Browser().get(link).status_code == status


def test_the_new_password_follows_the_rules(
    server: Server, configure: SettingsSetter, user: PbxUser
) -> None:
    configure(password_min_length=15)
    forget()
    deliver()
    [link] = links(server)

    assert "at least 15 characters" in set_password(link, "t00-short").content.decode()
    assert set_password(link).status_code == 302


@pytest.mark.database
def test_after_three_in_an_hour_a_name_waits_whoever_has_it(
    server: Server, user: PbxUser
) -> None:
    for name in ("anna", "nobody"):
        for spelling in (name, name.upper(), f" {name}"):
            forget(spelling)
        answer = Browser().post("/login/forgot/", {"login": name})
        assert answer.status_code == 429
