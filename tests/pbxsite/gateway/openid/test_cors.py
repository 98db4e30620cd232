"""Which pages of other origins read the provider's answers."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import Client as Browser

from authconfig.clients.choices import AsksBy
from pbxsite.gateway.openid.models import SigningKey
from tests.support.openid import CALLBACK, VERIFIER, Party, bearer, make_party

HERE = "https://apps.example.com"
DEVICE = "http://127.0.0.1:5173"
OTHERS = [
    "https://evil.example",
    "https://apps.example.com.evil.example",
    "https://apps.example.com:8443",
    "http://apps.example.com",
    "https://apps.example.com/",
    "HTTPS://APPS.EXAMPLE.COM",
    "http://localhost:5173",
    "http://127.0.0.1.evil.example",
    "https://127.0.0.1:5173",
    "null",
    "*",
    "",
]
ENDPOINTS = ["/openid/token", "/openid/userinfo", "/openid/revoke"]
OPEN = ["/.well-known/openid-configuration", "/openid/keys"]


@pytest.fixture
def page(signing_key: SigningKey) -> Party:
    """An application that runs in browsers alone."""
    uris = f"{CALLBACK}\ncom.example.app:/callback\nhttp://127.0.0.1:3000/callback"
    return make_party("page", is_public=True, redirect_uris=uris)


def readable_by(response: HttpResponse) -> str:
    assert "Access-Control-Allow-Credentials" not in response
    return response.headers.get("Access-Control-Allow-Origin", "")


def preflight(path: str, origin: str) -> HttpResponse:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return Browser().options(path, headers=asked)


@pytest.mark.parametrize("path", OPEN)
def test_everybody_reads_the_configuration_and_the_keys(
    path: str, signing_key: SigningKey
) -> None:
    answer = Browser().get(path, headers={"Origin": "https://evil.example"})

    assert readable_by(answer) == "*"
    assert preflight(path, "https://evil.example").status_code == 204


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("origin", [HERE, DEVICE])
def test_pages_of_a_public_clients_redirect_uris_may_ask(
    path: str, origin: str, page: Party
) -> None:
    answer = preflight(path, origin)

    assert answer.status_code == 204
    assert readable_by(answer) == origin
    assert answer["Access-Control-Allow-Headers"] == "Authorization, Content-Type"
    assert "Origin" in answer["Vary"]


@pytest.mark.parametrize("origin", OTHERS)
def test_no_other_page_may(
    origin: str, anna: Browser, page: Party, party: Party
) -> None:
    token = page.tokens(anna)["access_token"]

    answers = [
        preflight("/openid/token", origin),
        page.browser.get(
            "/openid/userinfo", headers=bearer(token) | {"Origin": origin}
        ),
        page.browser.post("/openid/token", headers={"Origin": origin}),
    ]

    assert {readable_by(answer) for answer in answers} == {""}
    assert answers[1].status_code == 200
    assert all("Origin" in answer["Vary"] for answer in answers)


def test_a_page_reads_its_tokens_and_who_its_user_is(
    anna: Browser, page: Party
) -> None:
    words = {
        "grant_type": "authorization_code",
        "redirect_uri": CALLBACK,
        "client_id": page.client_id,
        "code_verifier": VERIFIER,
    }
    origin = {"Origin": HERE}
    given = words | {"code": page.code(anna)}

    tokens = page.browser.post("/openid/token", given, headers=origin)
    shown = bearer(tokens.json()["access_token"]) | origin
    userinfo = page.browser.get("/openid/userinfo", headers=shown)
    again = page.browser.post("/openid/token", given, headers=origin)

    assert readable_by(tokens) == readable_by(userinfo) == HERE
    assert again.json()["error"] == "invalid_grant"
    assert readable_by(again) == HERE


def test_a_page_reads_why_it_is_refused(page: Party) -> None:
    over = bearer("over") | {"Origin": HERE}

    answer = page.browser.get("/openid/userinfo", headers=over)

    assert answer.status_code == 401
    assert readable_by(answer) == HERE
    assert "WWW-Authenticate" in answer["Access-Control-Expose-Headers"]


def test_a_page_reads_nothing_of_another_client(
    anna: Browser, page: Party, party: Party, signing_key: SigningKey
) -> None:
    other = make_party("x", is_public=True, redirect_uris="https://x.example/callback")
    foreign = {"Origin": "https://x.example"}

    of_page = bearer(page.tokens(anna)["access_token"]) | foreign
    of_server = bearer(party.tokens(anna)["access_token"]) | {"Origin": HERE}

    assert readable_by(other.browser.get("/openid/userinfo", headers=of_page)) == ""
    assert readable_by(other.browser.get("/openid/userinfo", headers=of_server)) == ""


def test_where_there_is_no_public_client_no_page_may(party: Party) -> None:
    assert readable_by(preflight("/openid/token", HERE)) == ""


def test_a_client_that_asks_otherwise_is_none(page: Party) -> None:
    page.openid.application.asks_by = AsksBy.FORWARD_AUTH
    page.openid.application.save()

    assert readable_by(preflight("/openid/token", HERE)) == ""
