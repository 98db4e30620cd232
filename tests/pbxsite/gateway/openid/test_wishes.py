"""What real clients send beside the least: long states, more scopes, wishes."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone, translation

from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from pbxsite.gateway.openid.models import SigningKey
from tests.conftest import PASSWORD
from tests.pbxsite.gateway.openid.test_authorize import led_on, wanted
from tests.support.openid import Party, basic, bearer, make_party, told
from verification.approval.choices import LoginState
from verification.approval.models import LoginSession

LONG = "s" * 8000
WRONG: dict[str, dict[str, Any]] = {
    "no response type": {"response_type": None},
    "an unknown response type": {"response_type": "token"},
    "no scope": {"scope": None},
    "no PKCE": {"code_challenge": None},
    "nobody who is logged in": {"prompt": "none", "max_age": "0"},
    "a request object": {"request": "e30."},
    "a nonce without end": {"nonce": "n" * 2000},
}


@pytest.fixture
def native(signing_key: SigningKey) -> Party:
    """A program on users' devices, which listens on a port that it is given."""
    uris = "http://127.0.0.1/callback\nhttp://[::1]:1234/callback"
    return make_party(is_public=True, redirect_uris=uris, logout_uris=uris)


def test_a_state_of_8000_characters_comes_back(anna: Browser, party: Party) -> None:
    assert told(anna.get(party.asked(state=LONG)))["state"] == LONG


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_the_state_comes_back_in_every_error(
    changes: dict[str, Any], anna: Browser, party: Party
) -> None:
    answer = told(anna.get(party.asked(state=LONG, **changes)))

    assert answer["error"]
    assert answer["state"] == LONG


def test_a_state_beyond_the_limit_is_told(anna: Browser, party: Party) -> None:
    answer = told(anna.get(party.asked(state=f"{LONG}s")))

    assert answer["error"] == "invalid_request"
    assert "state" not in answer


def test_a_long_state_goes_through_the_login(
    user: PbxUser, party: Party, browser: Browser
) -> None:
    then = wanted(browser.get(party.asked(state=LONG)), "/login/")
    form = {"login": "anna", "password": PASSWORD, "next": then}

    done = browser.post("/login/", form)

    assert led_on(browser.get(done["Location"]))["state"] == LONG


# Every sign of it needs an escape; in a form's address within an address, two.
WORST = '{"%+&"}' * 500


def test_a_long_state_goes_through_an_approval(
    two_factor: AuthenticationSettings, user: PbxUser, party: Party, browser: Browser
) -> None:
    then = wanted(browser.get(party.asked(state=WORST)), "/login/")
    form = {"login": "anna", "password": PASSWORD, "next": then}

    browser.post("/login/", form)
    now = timezone.now()
    LoginSession.objects.update(state=LoginState.ACCEPTED, decided_at=now)
    done = browser.post("/login/waiting/continue/")

    assert led_on(browser.get(done["Location"]))["state"] == WORST


def test_scopes_that_are_not_known_are_ignored(anna: Browser, party: Party) -> None:
    tokens = party.tokens(anna, scope="openid offline_access email groups")

    assert set(tokens["scope"].split()) == {"openid", "email"}
    more = party.refresh(tokens["refresh_token"], scope="openid profile")
    assert more.json()["error"] == "invalid_scope"


@pytest.mark.parametrize(
    ("ui_locales", "language"),
    [("de", "de"), ("fr de-CH en", "de"), ("fr en de", "en"), ("fr", ""), ("", "")],
)
def test_the_language_that_a_client_wants_is_spoken(
    ui_locales: str, language: str, party: Party, browser: Browser
) -> None:
    asked = browser.get(party.asked(ui_locales=ui_locales))
    with translation.override("en"):
        page = browser.get(asked["Location"])

    assert asked.cookies.get("django_language") is None or language
    assert f'<html lang="{language or "en"}"' in page.content.decode()


def test_a_refusal_speaks_it_too(party: Party, browser: Browser) -> None:
    address = party.asked(ui_locales="de", redirect_uri="https://evil.example/")

    page = browser.get(address)

    assert page.status_code == 400
    assert '<html lang="de"' in page.content.decode()
    assert page["Content-Language"] == "de"


def test_so_does_the_question_whether_to_log_out(anna: Browser, party: Party) -> None:
    page = anna.get(f"/openid/logout?client_id={party.client_id}&ui_locales=de")

    assert '<html lang="de"' in page.content.decode()


def test_the_login_page_knows_whom_the_client_means(
    party: Party, browser: Browser
) -> None:
    answer = browser.get(party.asked(login_hint='anna"><x'))
    page = browser.get(answer["Location"]).content.decode()

    assert 'value="anna&quot;&gt;&lt;x"' in page
    without = browser.get(party.asked(login_hint="a" * 300))
    assert "login_hint=" not in without["Location"].partition("&next=")[0]


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1/callback",
        "http://127.0.0.1:51004/callback",
        "http://[::1]:51004/callback",
        "http://[::1]/callback",
    ],
)
def test_a_program_on_the_users_device_listens_on_any_port(
    uri: str, anna: Browser, native: Party
) -> None:
    answer = anna.get(native.asked(redirect_uri=uri))

    assert answer["Location"].startswith(f"{uri}?code=")
    code = answer["Location"].partition("code=")[2].partition("&")[0]
    assert native.token(code=code, redirect_uri=uri).status_code == 200
    assert native.token(code=code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:51004/callback",
        "http://127.0.0.1:51004/",
        "http://127.0.0.1:51004/callback/",
        "http://127.0.0.1:51004/callback?x=1",
        "http://127.0.0.1:70000/callback",
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:/callback",
        "http://127.0.0.1:1@evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://127.0.0.2:51004/callback",
        "https://127.0.0.1:51004/callback",
        "http://127.0.0.1:51004/callback\n",
    ],
)
def test_nothing_but_the_port_is_free(uri: str, anna: Browser, native: Party) -> None:
    assert anna.get(native.asked(redirect_uri=uri)).status_code == 400


def test_a_client_with_a_secret_has_its_one_port(
    anna: Browser, signing_key: SigningKey
) -> None:
    party = make_party(redirect_uris="http://127.0.0.1:3000/callback")

    other = party.asked(redirect_uri="http://127.0.0.1:3001/callback")

    assert anna.get(other).status_code == 400


@pytest.mark.parametrize(
    ("header", "scheme"),
    [
        (None, "Basic"),
        ("Basic " + base64.b64encode(b"x:y").decode(), "Basic"),
        ("Bearer x", "Bearer"),
        ('"nonsense" x', "Basic"),
    ],
    ids=["body", "Basic", "Bearer", "nonsense"],
)
def test_a_client_hears_of_the_scheme_that_it_used(
    header: str | None, scheme: str, party: Party
) -> None:
    headers = {"Authorization": header} if header else {}

    refused = party.browser.post("/openid/token", {"code": "x"}, headers=headers)

    assert refused.status_code == 401
    assert refused.json()["error"] == "invalid_client"
    assert refused["WWW-Authenticate"] == f'{scheme} realm="client"'


def test_userinfo_tells_a_fault_of_tokens_that_were_shown_alone(party: Party) -> None:
    none = party.browser.get("/openid/userinfo")
    wrong = party.browser.get("/openid/userinfo", headers=bearer("x"))
    other = basic(party.client_id, str(party.secret))

    assert none.status_code == wrong.status_code == 401
    assert none["WWW-Authenticate"] == 'Bearer realm="userinfo"'
    assert 'error="invalid_token"' in wrong["WWW-Authenticate"]
    answer = party.browser.get("/openid/userinfo", headers=other)
    assert "error" not in answer["WWW-Authenticate"]
