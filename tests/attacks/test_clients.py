"""What a taken-over client, its neighbour, or a stranger who knows its name tries."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from allauth.idp.oidc.models import Token
from django.test import Client as Browser
from django.utils import timezone

from authconfig.users.models import PbxUser
from pbxsite.gateway.openid.models import Grant
from tests.conftest import PASSWORD
from tests.support.openid import Party, basic, handed_out, make_party

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(administrator: PbxUser) -> Browser:
    return signed_in_as("admin")


def signed_in_as(name: str) -> Browser:
    browser = Browser()
    browser.post("/login/", {"login": name, "password": PASSWORD})
    return browser


# Tokens of a session that has ended


@pytest.mark.parametrize("of", ["her own", "another client's", "another user's"])
@pytest.mark.parametrize("grant_type", ["refresh_token", "authorization_code", ""])
def test_no_fresh_code_revives_the_tokens_of_a_session_that_ended(
    grant_type: str, of: str, anna: Browser, boss: Browser, party: Party
) -> None:
    held = party.tokens(anna)
    anna.post("/logout/")
    anna.post("/login/", {"login": "anna", "password": PASSWORD})
    chat = make_party("chat")
    codes = {
        "her own": lambda: party.code(anna),
        "another client's": lambda: chat.code(anna),
        "another user's": lambda: party.code(boss),
    }

    answer = party.token(
        grant_type=grant_type, refresh_token=held["refresh_token"], code=codes[of]()
    )

    assert answer.status_code == 400
    assert not handed_out().exists()
    assert party.refresh(held["refresh_token"]).status_code == 400
    assert party.userinfo(held["access_token"]).status_code == 401


def test_a_row_that_was_left_behind_opens_nothing(anna: Browser, party: Party) -> None:
    """As sites may have them from before tokens ended with their sessions."""
    held = party.tokens(anna)
    left = list(Token.objects.values())
    anna.post("/logout/")
    Token.objects.bulk_create([Token(**row) for row in left])

    assert party.refresh(held["refresh_token"]).status_code == 400
    assert party.userinfo(held["access_token"]).status_code == 401


# What belongs to another client


def test_a_code_is_redeemed_neither_by_a_neighbour_nor_in_a_public_clients_name(
    anna: Browser, party: Party
) -> None:
    neighbour, public = make_party("chat"), make_party("softphone", is_public=True)
    code = party.code(anna)
    header = basic(neighbour.client_id, str(neighbour.secret))
    mixed = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": party.client_id,
    }

    answers = [
        neighbour.token(code=code),
        public.token(code=code),
        Browser().post("/openid/token", mixed, headers=header),
    ]

    assert {answer.status_code for answer in answers} == {400}
    assert party.token(code=code).status_code == 200


def test_a_used_code_lets_no_neighbour_end_what_it_gave(
    anna: Browser, party: Party
) -> None:
    code = party.code(anna)
    held = party.token(code=code).json()

    make_party("chat").token(code=code)
    make_party("softphone", is_public=True).token(code=code)

    assert party.userinfo(held["access_token"]).status_code == 200


def test_no_neighbour_ends_a_grant_by_naming_the_client_it_belongs_to(
    anna: Browser, party: Party
) -> None:
    held = party.tokens(anna)
    public = make_party("softphone", is_public=True)
    words = {"token": held["access_token"], "client_id": public.client_id}
    header = basic(party.client_id, "wrong")

    Browser().post("/openid/revoke", words, headers=header)
    public.revoke(held["access_token"])

    assert party.userinfo(held["access_token"]).status_code == 200


def test_a_stranger_does_not_learn_which_tokens_there_are(
    anna: Browser, party: Party
) -> None:
    held = party.tokens(anna)
    party.secret = "wrong"

    answers = [party.revoke(value) for value in (held["refresh_token"], "unknown")]

    assert answers[0].content == answers[1].content
    assert answers[0].status_code == answers[1].status_code == 401


# Who is kept out


def wrong_secret(stranger: Browser, party: Party, path: str) -> None:
    words = {"client_id": party.client_id, "client_secret": "wrong", "token": "x"}
    stranger.post(path, words)


def unknown_client(stranger: Browser, party: Party, path: str) -> None:
    stranger.post(path, {"client_id": "unknown", "client_secret": "x"})


def nothing_at_all(stranger: Browser, party: Party, path: str) -> None:
    stranger.post(path, {})


def what_makes_no_sense(stranger: Browser, party: Party, path: str) -> None:
    stranger.post(path, {"client_id": ["a\0b", "c"]})


BAD = [wrong_secret, unknown_client, nothing_at_all, what_makes_no_sense]


@pytest.mark.parametrize("path", ["/openid/token", "/openid/revoke"])
@pytest.mark.parametrize("bad", BAD)
def test_bad_requests_from_its_address_keep_no_client_out(
    bad: Callable[[Browser, Party, str], None], path: str, anna: Browser, party: Party
) -> None:
    public = make_party("softphone", is_public=True)

    for _time in range(25):
        bad(Browser(), party, path)

    held = party.tokens(anna)
    assert public.tokens(anna)["access_token"]
    assert party.refresh(held["refresh_token"]).status_code == 200
    assert party.revoke(held["refresh_token"]).status_code == 200


def test_wrong_codes_in_a_public_clients_name_keep_no_user_of_it_out(
    anna: Browser, party: Party
) -> None:
    public = make_party("softphone", is_public=True)

    for _time in range(25):
        public.token(code="wrong")

    assert public.tokens(anna)["access_token"]
    assert party.tokens(anna)["access_token"]


# A login that was wanted anew


WISHES = [{"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "60"}]


@pytest.mark.parametrize("wish", WISHES, ids=str)
def test_a_mark_that_another_browser_made_skips_no_login(
    wish: dict[str, str], user: PbxUser, party: Party
) -> None:
    led = Browser().get(party.asked(**wish))
    marked = parse_qs(urlsplit(led["Location"]).query)["next"][0]
    anna = signed_in_as("anna")

    with time_machine.travel(timezone.now() + timedelta(minutes=30)):
        answer = anna.get(marked)

        assert answer.status_code == 302
        assert answer["Location"].startswith("/account/confirm/")
        assert not Grant.objects.exists()


def test_a_mark_that_another_browser_made_skips_no_question(
    anna: Browser, boss: Browser, party: Party
) -> None:
    asked = party.asked(prompt="consent")
    page = boss.get(asked).content.decode()
    marked = html.unescape(re.findall(r'action="([^"]+consent[^"]+)"', page)[0])
    own = anna.get(party.asked(prompt="consent", state="hers")).content.decode()
    hers = html.unescape(re.findall(r'action="([^"]+consent[^"]+)"', own)[0])
    anna.post(hers, {"decision": "allow"})

    answer = anna.get(marked.replace("/consent?", "/authorize?"))

    assert b"It would be told" in answer.content
    assert not Grant.objects.exists()


def test_a_browser_takes_no_mark_for_a_cookie_that_it_was_not_given(
    user: PbxUser, party: Party
) -> None:
    """Neither an empty cookie nor a made-up one fits a mark of another browser."""
    led = Browser().get(party.asked(prompt="login"))
    marked = parse_qs(urlsplit(led["Location"]).query)["next"][0]
    anna = signed_in_as("anna")

    for value in ("", "x", "a" * 43):
        anna.cookies["pbx_asked"] = value
        assert anna.get(marked)["Location"].startswith("/account/confirm/")
