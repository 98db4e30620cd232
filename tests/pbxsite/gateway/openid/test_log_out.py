"""Logging out as a client wishes (OpenID Connect RP-Initiated Logout 1.0)."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from django.test import Client as Browser

from authconfig.users.models import PbxUser
from tests.conftest import PASSWORD, Starter
from tests.support.openid import AFTER_LOGOUT, CALLBACK, Party, handed_out, make_party

HOSTILE = [
    CALLBACK,
    f"{AFTER_LOGOUT}/",
    f"{AFTER_LOGOUT}?x=1",
    f"{AFTER_LOGOUT}#x",
    "https://apps.example.com/",
    "https://apps.example.com:443/bye",
    "https://x@apps.example.com/bye",
    "http://apps.example.com/bye",
    "https://evil.example/bye",
    "https://[apps.example.com/bye",
    "//apps.example.com/bye",
    "javascript:alert(1)",
]


def asked(party: Party, **words: str) -> str:
    known = {"client_id": party.client_id, "post_logout_redirect_uri": AFTER_LOGOUT}
    return f"/openid/logout?{urlencode(known | words)}"


def is_signed_in(browser: Browser) -> bool:
    return browser.get("/account/").status_code == 200


def answer(browser: Browser, party: Party, action: str, **words: str) -> str:
    """Press a button of the page; return what comes of it."""
    known = {
        "client_id": party.client_id,
        "post_logout_redirect_uri": AFTER_LOGOUT,
        "state": "a state",
        "csrfmiddlewaretoken": "x",
        "action": action,
    }
    return browser.post("/openid/logout", known | words).content.decode()


def test_the_user_is_asked_first(anna: Browser, party: Party) -> None:
    page = anna.get(asked(party)).content.decode()

    assert "Log out here as well?" in page
    assert "Voicemail has logged you out" in page
    assert is_signed_in(anna)


def test_a_clients_post_goes_on_as_a_get(anna: Browser, party: Party) -> None:
    sent = anna.post("/openid/logout", {"client_id": party.client_id})

    assert b"Log out here as well?" in anna.get(sent["Location"]).content


def test_who_agrees_is_logged_out_and_led_on(anna: Browser, party: Party) -> None:
    tokens = party.tokens(anna)

    page = answer(anna, party, "logout")

    assert f'href="{AFTER_LOGOUT}?state=a+state"' in page
    assert not is_signed_in(anna)
    assert party.userinfo(tokens["access_token"]).status_code == 401


def test_who_stays_is_led_on_and_stays(anna: Browser, party: Party) -> None:
    page = answer(anna, party, "stay")

    assert f'href="{AFTER_LOGOUT}?state=a+state"' in page
    assert is_signed_in(anna)


@pytest.mark.parametrize("action", ["stay", "logout"])
def test_what_the_client_has_of_this_session_ends_and_of_no_other(
    action: str, anna: Browser, party: Party, start: Starter
) -> None:
    chat, second = make_party("chat"), Browser()
    start(second)
    ended, kept = party.tokens(anna), chat.tokens(anna)
    elsewhere = party.tokens(second)

    answer(anna, party, action)

    assert party.userinfo(ended["access_token"]).status_code == 401
    assert party.userinfo(elsewhere["access_token"]).status_code == 200
    stayed = chat.userinfo(kept["access_token"]).status_code == 200
    assert stayed is (action == "stay")
    assert handed_out().count() == (4 if action == "stay" else 2)


def test_an_id_token_tells_the_client_as_well(anna: Browser, party: Party) -> None:
    hint = party.tokens(anna)["id_token"]

    page = anna.get(f"/openid/logout?{urlencode({'id_token_hint': hint})}")

    assert b"Voicemail has logged you out" in page.content


@pytest.mark.parametrize("uri", HOSTILE)
def test_nobody_is_led_to_an_address_that_is_not_exactly_the_clients(
    uri: str, anna: Browser, party: Party
) -> None:
    for browser in (anna, Browser()):
        page = browser.get(asked(party, post_logout_redirect_uri=uri))
        assert page.status_code == 400
        assert "Location" not in page
    posted = anna.post(
        "/openid/logout",
        {
            "client_id": party.client_id,
            "post_logout_redirect_uri": uri,
            "action": "logout",
        },
    )
    assert posted.status_code == 400
    assert is_signed_in(anna)


def test_without_a_client_nobody_is_led_anywhere(anna: Browser, party: Party) -> None:
    make_party("chat")
    words = {"post_logout_redirect_uri": AFTER_LOGOUT}

    page = Browser().get(f"/openid/logout?{urlencode(words)}")

    assert page.status_code == 302
    assert page["Location"] == "/login/"


def test_whoever_is_signed_out_already_goes_on(party: Party) -> None:
    page = Browser().get(asked(party))

    assert page.status_code == 302
    assert page["Location"] == AFTER_LOGOUT


def test_another_site_logs_nobody_out(user: PbxUser, party: Party) -> None:
    browser = Browser(enforce_csrf_checks=True)
    page = browser.get("/login/")
    token = page.context["csrf_token"]
    words = {"login": "anna", "password": PASSWORD, "csrfmiddlewaretoken": str(token)}
    browser.post("/login/", words)

    forged = {"client_id": party.client_id, "action": "logout"}
    asked_again = browser.post("/openid/logout", forged)
    with_token = browser.post("/openid/logout", forged | {"csrfmiddlewaretoken": "x"})

    assert b"Log out here as well?" in asked_again.content
    assert with_token.status_code == 403
    assert is_signed_in(browser)
