"""Mail and chat servers ask whose a token is that a program showed them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError
from django.test import Client as Browser
from django.utils import timezone

from authconfig.clients.choices import Kind
from authconfig.users.models import PbxUser
from pbxsite.gateway.openid.models import OpenIdClient, SigningKey
from tests.conftest import Starter
from tests.pbxsite.gateway.openid.test_ending import ENDS
from tests.support.openid import Party, basic, make_party

INACTIVE = {"active": False}


@pytest.fixture
def mail_server(signing_key: SigningKey) -> Party:
    return make_party("mail", checks_tokens=True, redirect_uris="")


def test_a_server_learns_whose_a_token_is(
    anna: Browser, party: Party, mail_server: Party, user: PbxUser
) -> None:
    tokens = party.tokens(anna, scope="openid")

    answer = mail_server.introspect(tokens["access_token"])

    told = answer.json()
    assert "no-store" in answer["Cache-Control"]
    now = timezone.now().timestamp()
    assert abs(told.pop("iat") - now) < 10
    assert abs(told.pop("auth_time") - now) < 10
    assert abs(told.pop("exp") - now - 300) < 10
    assert told == {
        "active": True,
        "iss": "http://127.0.0.1:8000",
        "sub": party.claims(tokens)["sub"],
        "client_id": party.client_id,
        "aud": party.client_id,
        "scope": "openid",
        "token_type": "Bearer",
        "amr": ["pwd"],
        "username": "anna",
        "preferred_username": "anna",
        "name": "Anna Berg",
        "upn": "anna",
        "email": "anna@example.com",
    }


def test_a_secret_in_the_header_does_as_well(
    anna: Browser, party: Party, mail_server: Party
) -> None:
    header = basic(mail_server.client_id, str(mail_server.secret))
    sent = {"token": party.tokens(anna)["access_token"], "token_type_hint": "x"}

    told = mail_server.browser.post("/openid/introspect", sent, headers=header)

    assert told.json()["username"] == "anna"


@pytest.mark.parametrize("end", ENDS)
def test_a_token_is_good_for_as_long_as_its_session(
    end: Callable[[Browser], None], anna: Browser, party: Party, mail_server: Party
) -> None:
    token = party.tokens(anna)["access_token"]
    assert mail_server.introspect(token).json()["active"]

    end(anna)

    assert mail_server.introspect(token).json() == INACTIVE


@pytest.mark.parametrize("name", ["refresh_token", "id_token"])
def test_an_access_token_alone_opens_a_server(
    name: str, anna: Browser, party: Party, mail_server: Party
) -> None:
    value = party.tokens(anna)[name]

    assert mail_server.introspect(value).json() == INACTIVE


@pytest.mark.parametrize("value", ["x", "\u20ac", "a" * 9000])
def test_of_what_is_no_token_nothing_is_told(value: str, mail_server: Party) -> None:
    assert mail_server.introspect(value).json() == INACTIVE


def test_what_a_foreign_client_was_given_opens_no_server(
    anna: Browser, party: Party, mail_server: Party
) -> None:
    token = party.tokens(anna)["access_token"]

    party.openid.application.is_own = False
    party.openid.application.save()

    assert mail_server.introspect(token).json() == INACTIVE
    assert party.introspect(token).json()["active"]


def test_a_login_of_mypbx_opens_no_server_of_myapps(
    user: PbxUser, mail_server: Party, start: Starter, browser: Browser
) -> None:
    phone = make_party("phone", kind=Kind.MYPBX)
    start(browser, path="/mypbx/login/")
    token = phone.tokens(browser)["access_token"]

    assert mail_server.introspect(token).json() == INACTIVE
    other = make_party("voice", kind=Kind.MYPBX, checks_tokens=True)
    assert other.introspect(token).json()["active"]


def test_without_the_switch_a_client_knows_its_own_tokens_alone(
    anna: Browser, party: Party
) -> None:
    chat = make_party("chat")
    tokens = party.tokens(anna, scope="openid")

    assert chat.introspect(tokens["access_token"]).json() == INACTIVE
    own = party.introspect(tokens["access_token"]).json()
    assert own["active"]
    assert not {"username", "email", "name"} & own.keys()
    refresh = party.introspect(tokens["refresh_token"]).json()
    assert refresh["active"]
    assert "token_type" not in refresh


FAULTS: dict[str, tuple[dict[str, Any], int, str]] = {
    "a wrong secret": ({"client_secret": "wrong"}, 401, "invalid_client"),
    "no token": ({"value": None}, 400, "invalid_request"),
    "NUL": ({"value": "a\0b"}, 400, "invalid_request"),
}


@pytest.mark.parametrize(("changes", "status", "error"), FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_is_told(
    changes: dict[str, Any], status: int, error: str, mail_server: Party
) -> None:
    answer = mail_server.introspect(**{"value": "x"} | changes)

    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_public_client_checks_no_tokens(
    anna: Browser, signing_key: SigningKey
) -> None:
    page = make_party("page", is_public=True)

    answer = page.introspect(page.tokens(anna)["access_token"])

    assert answer.status_code == 401
    with pytest.raises(IntegrityError, match="public_client_checks_no_tokens"):
        OpenIdClient.objects.update(checks_tokens=True)


def test_only_a_client_that_checks_tokens_needs_no_redirect_uri(
    mail_server: Party, anna: Browser
) -> None:
    assert anna.get(mail_server.asked(redirect_uri="")).status_code == 400
    with pytest.raises(IntegrityError, match="openid_client_has_a_redirect_uri"):
        OpenIdClient.objects.update(checks_tokens=False)


def test_the_configuration_names_the_endpoint(browser: Browser, db: None) -> None:
    told = browser.get("/.well-known/openid-configuration").json()

    assert told["introspection_endpoint"].endswith("/openid/introspect")
    methods = told["introspection_endpoint_auth_methods_supported"]
    assert methods == ["client_secret_basic", "client_secret_post"]


def test_groups_are_told_to_clients_that_are_to_know_them(
    anna: Browser, party: Party, user: PbxUser
) -> None:
    user.groups.set([Group.objects.create(name=name) for name in ("Sales", "Board")])
    before = party.tokens(anna, scope="openid")
    assert "groups" not in party.claims(before)

    party.openid.application.tells_groups = True
    party.openid.application.save()
    tokens = party.tokens(anna, scope="openid groups")

    groups = ["Board", "Sales"]
    assert party.claims(tokens)["groups"] == groups
    assert party.userinfo(tokens["access_token"]).json()["groups"] == groups
    assert party.introspect(tokens["access_token"]).json()["groups"] == groups
    user.groups.clear()
    assert party.userinfo(tokens["access_token"]).json()["groups"] == []


def test_the_user_is_asked_before_a_foreign_client_hears_of_groups(
    anna: Browser, signing_key: SigningKey
) -> None:
    party = make_party("calendar", is_own=False, tells_groups=True)

    page = anna.get(party.asked(scope="openid")).content.decode()

    assert "the groups that you are in" in page
