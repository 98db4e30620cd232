"""Each grant takes its own parameters, and its client shows itself in one way."""

from __future__ import annotations

import pytest
from allauth.idp.oidc.models import Token
from django.http import HttpResponse
from django.test import Client as Browser

from pbxsite.gateway.openid.clients import keep_in_step
from pbxsite.gateway.openid.endpoints.token_requests import CODE, NOT_OFFERED, OWN
from pbxsite.gateway.openid.models import SigningKey
from tests.support.openid import CALLBACK, VERIFIER, Party, basic, make_party

EVERY = {*NOT_OFFERED, *(name for names in OWN.values() for name in names)}
PAIRS = [
    (grant_type, name)
    for grant_type, own in OWN.items()
    for name in sorted(EVERY - set(own))
]


def right_request(grant_type: str, browser: Browser, party: Party) -> dict[str, str]:
    if grant_type == CODE:
        return {"grant_type": CODE, "code": party.code(browser)}
    value = party.tokens(browser)["refresh_token"]
    own = {"redirect_uri": None, "code_verifier": None}
    return {"grant_type": grant_type, "refresh_token": value} | own  # type: ignore[dict-item]


def foreign_value(name: str, browser: Browser) -> str:
    """Return one that is as good as it can be, of another client."""
    other = make_party("chat")
    if name == "code":
        return other.code(browser)
    if name == "refresh_token":
        return str(other.tokens(browser)["refresh_token"])
    return {"redirect_uri": CALLBACK, "code_verifier": VERIFIER}.get(name, "x")


@pytest.mark.parametrize(("grant_type", "name"), PAIRS)
def test_a_grant_takes_no_parameter_of_another(
    grant_type: str, name: str, anna: Browser, party: Party
) -> None:
    words = right_request(grant_type, anna, party)
    foreign = {name: foreign_value(name, anna)}
    before = Token.objects.count()

    answer = party.token(**words | foreign)

    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_request"
    assert answer.json()["error_description"].startswith(f"{name} ")
    assert Token.objects.count() == before
    assert party.token(**words | {name: ""}).status_code == 200


def test_nothing_comes_twice(anna: Browser, party: Party) -> None:
    code = party.code(anna)

    for name in ("grant_type", "code", "client_id", "client_secret", "state"):
        twice = {"code": code} | {name: ["x", code]}
        answer = party.token(**twice)  # type: ignore[arg-type]
        assert answer.json()["error"] == "invalid_request", name
    assert party.token(code=code).status_code == 200


def shown_by(headers: dict[str, str], **words: str) -> HttpResponse:
    known = {"grant_type": "refresh_token", "refresh_token": "unknown"}
    return Browser().post("/openid/token", known | words, headers=headers)


def test_a_secret_is_shown_in_one_way(party: Party) -> None:
    header = basic(party.client_id, str(party.secret))

    both = shown_by(header, client_secret=str(party.secret))
    also_named = shown_by(header, client_id=party.client_id)

    assert both.json()["error"] == "invalid_request"
    assert also_named.json()["error"] == "invalid_grant"


def test_the_client_of_the_header_is_the_one_of_the_body(party: Party) -> None:
    other = make_party("chat")
    public = make_party("softphone", is_public=True)

    for client_id in (other.client_id, public.client_id, "unknown"):
        answer = shown_by(
            basic(party.client_id, str(party.secret)), client_id=client_id
        )
        assert answer.json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    "words",
    [
        {"client_secret": ""},
        {"client_secret": "wrong"},
        {"client_assertion": "e30.e30.x"},
    ],
)
def test_without_its_secret_no_client_is_let_in(
    words: dict[str, str], party: Party
) -> None:
    answer = party.token(code="unknown", **words)

    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert answer["WWW-Authenticate"].startswith("Basic")


def test_a_client_whose_secret_is_not_made_yet_is_let_in_by_none(
    party: Party,
) -> None:
    party.openid.secret_made_at = None
    party.openid.save()

    assert party.token(code="unknown").json()["error"] == "invalid_client"


def test_a_public_client_shows_no_secret(signing_key: SigningKey) -> None:
    party = make_party("softphone", is_public=True)

    answer = party.token(code="unknown", client_secret="made up")

    assert answer.json()["error"] == "invalid_client"


def test_a_client_that_became_public_refreshes_nothing(
    anna: Browser, party: Party
) -> None:
    """Its tokens would else be good without the secret that they were given for."""
    value = party.tokens(anna)["refresh_token"]
    party.openid.is_public = True
    keep_in_step(party.openid)
    party.secret = None

    assert party.refresh(value).json()["error"] == "unauthorized_client"
