"""From the code to the claims, and what is refused on the way."""

from __future__ import annotations

import base64
from datetime import timedelta
from importlib import import_module
from uuid import UUID

import jwt
import pytest
import time_machine
from allauth.idp.oidc.models import Token
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.conf import settings
from django.http import HttpResponse
from django.test import Client as Browser
from django.test import override_settings
from django.utils import timezone

from authconfig.choices import Event
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.gateway.openid import grants
from pbxsite.gateway.openid.models import Grant, GrantedToken, SigningKey
from tests.conftest import PASSWORD, SettingsSetter, Starter
from tests.support.openid import CALLBACK, Party, handed_out, make_party
from tests.support.provider import Provider
from tests.support.totp import approve_factors, totp
from tests.verification.login.factors.test_factors import app, later
from tests.verification.login.test_oauth2 import log_in, oauth2

__all__ = ["app", "oauth2"]  # fixtures
REFUSED = {
    "a wrong secret": ({"client_secret": "wrong"}, "invalid_client"),
    "no secret": ({"client_secret": None}, "invalid_client"),
    "a wrong verifier": ({"code_verifier": "v" * 43}, "invalid_grant"),
    "no verifier": ({"code_verifier": None}, "invalid_request"),
    "another address": ({"redirect_uri": f"{CALLBACK}x"}, "invalid_grant"),
    "no address": ({"redirect_uri": None}, "invalid_request"),
    "an unknown code": ({"code": "unknown"}, "invalid_grant"),
    "no code": ({"code": None}, "invalid_request"),
    "a password": (
        {"grant_type": "password", "username": "anna", "password": PASSWORD},
        "unsupported_grant_type",
    ),
    "an unknown way": ({"grant_type": "magic"}, "unsupported_grant_type"),
    "no way": ({"grant_type": None}, "invalid_request"),
    "no user at all": ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
    "a device": (
        {"grant_type": "urn:ietf:params:oauth:grant-type:device_code"},
        "unsupported_grant_type",
    ),
    "another server's token": ({"resource": "https://x.example/"}, "invalid_request"),
    "NUL": ({"client_id": "a\0b"}, "invalid_request"),
}


def error(answer: HttpResponse) -> str:
    assert answer.status_code in (400, 401), answer.content
    return str(answer.json()["error"])


def test_a_client_learns_who_logged_in_and_how(
    anna: Browser, party: Party, user: PbxUser, configure: SettingsSetter
) -> None:
    configure(pbx_domain="pbx.example")
    PbxUser.objects.update(number="4711")

    claims = party.claims(party.tokens(anna))

    assert UUID(claims.pop("sub"))
    now = timezone.now().timestamp()
    for name in ("auth_time", "iat", "exp"):
        assert abs(claims.pop(name) - now) < 310
    claims.pop("at_hash"), claims.pop("jti")
    assert claims == {
        "iss": "http://127.0.0.1:8000",
        "aud": party.client_id,
        "nonce": "a nonce",
        "amr": ["pwd"],
        "name": "Anna Berg",
        "preferred_username": "anna",
        "upn": "anna@pbx.example",
        "number": "4711",
        "email": "anna@example.com",
    }


def test_userinfo_says_the_same(anna: Browser, party: Party) -> None:
    tokens = party.tokens(anna)

    told = party.userinfo(tokens["access_token"]).json()

    claims = party.claims(tokens)
    assert told == {name: claims[name] for name in told}
    assert {"sub", "upn", "name", "email"} <= told.keys()


def test_a_client_learns_what_it_asked_for_alone(anna: Browser, party: Party) -> None:
    tokens = party.tokens(anna, scope="openid")

    claims = party.claims(tokens)

    assert not {"name", "upn", "number", "email"} & claims.keys()
    assert party.userinfo(tokens["access_token"]).json() == {"sub": claims["sub"]}


@pytest.mark.parametrize("told", [["pwd", "mfa"], ["pwd"]])
def test_a_second_factor_is_told_if_it_counts(
    told: list[str], app: str, party: Party, start: Starter, browser: Browser
) -> None:
    """Whoever knows the password alone may have added one that nobody approved."""
    if "mfa" in told:
        approve_factors()
    start(browser)

    with later():
        browser.post("/login/factor/", {"code": totp(app)})
        claims = party.claims(party.tokens(browser))

    assert claims["amr"] == told


def test_a_login_elsewhere_is_told(
    user: PbxUser,
    party: Party,
    browser: Browser,
    oauth2: SettingsSetter,
    provider: Provider,
) -> None:
    log_in(browser, provider, "1")

    assert party.claims(party.tokens(browser))["amr"] == ["fed"]


def test_the_subject_stays_when_the_name_changes(anna: Browser, party: Party) -> None:
    before = party.claims(party.tokens(anna))
    PbxUser.objects.update(name="anne", name_key="anne")

    after = party.claims(party.tokens(anna))

    assert after["sub"] == before["sub"]
    assert after["upn"] == "anne"


@pytest.mark.parametrize(("changes", "code"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_gets_no_token(
    changes: dict[str, str | None], code: str, anna: Browser, party: Party
) -> None:
    words = {"code": party.code(anna)} | changes

    assert error(party.token(**words)) == code
    assert not handed_out().exists()


def test_a_code_is_for_the_client_that_it_was_given_to(
    anna: Browser, party: Party
) -> None:
    other = make_party("chat")

    assert error(other.token(code=party.code(anna))) == "invalid_grant"


def test_a_code_is_good_for_a_minute(anna: Browser, party: Party) -> None:
    code = party.code(anna)

    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        assert error(party.token(code=code)) == "invalid_grant"


def test_a_code_that_comes_twice_takes_back_what_it_gave(
    anna: Browser, party: Party
) -> None:
    code = party.code(anna)
    tokens = party.token(code=code).json()
    assert party.userinfo(tokens["access_token"]).status_code == 200

    assert error(party.token(code=code)) == "invalid_grant"

    assert party.userinfo(tokens["access_token"]).status_code == 401
    assert error(party.refresh(tokens["refresh_token"])) == "invalid_grant"
    replayed = AuditEvent.objects.get(event=Event.CODE_REPLAYED)
    assert replayed.user_name == "anna"


def test_a_stranger_cannot_take_back_what_a_code_gave(
    anna: Browser, party: Party
) -> None:
    code = party.code(anna)
    tokens = party.token(code=code).json()

    assert error(party.token(code=code, client_secret="wrong")) == "invalid_client"

    assert party.userinfo(tokens["access_token"]).status_code == 200


def test_of_two_uses_of_a_code_at_once_one_wins(anna: Browser, party: Party) -> None:
    grant = grants.of_code(party.code(anna))
    assert grant

    assert [grants.spend(grant), grants.spend(grant)] == [True, False]


def test_a_token_of_somebody_else_is_bound_to_no_grant(
    anna: Browser, party: Party, administrator: PbxUser
) -> None:
    other = Browser()
    other.post("/login/", {"login": "admin", "password": PASSWORD})
    foreign = party.tokens(other)["access_token"]
    own = make_party("chat").tokens(anna)["access_token"]
    grant = grants.of_code(party.code(anna))
    assert grant

    assert not grants.keep(grant, [foreign])
    assert not grants.keep(grant, [own])
    assert not grants.keep(grant, ["unknown"])


def test_a_public_client_shows_its_verifier_and_gets_no_refresh_token(
    anna: Browser, signing_key: SigningKey
) -> None:
    party = make_party("softphone", is_public=True)

    tokens = party.tokens(anna)

    assert "refresh_token" not in tokens
    assert not Token.objects.filter(type=Token.Type.REFRESH_TOKEN).exists()
    assert party.userinfo(tokens["access_token"]).status_code == 200
    wrong = party.token(code=party.code(anna), code_verifier="v" * 43)
    assert error(wrong) == "invalid_grant"


def test_a_secret_may_come_in_the_header(anna: Browser, party: Party) -> None:
    pair = f"{party.client_id}:{party.secret}".encode()
    basic = f"Basic {base64.b64encode(pair).decode()}"
    words = {
        "grant_type": "authorization_code",
        "code": party.code(anna),
        "redirect_uri": CALLBACK,
        "code_verifier": "a-verifier-of-43-characters-or-more-as-it-has-to-be",
    }

    answer = Browser().post("/openid/token", words, headers={"Authorization": basic})

    assert answer.status_code == 200


@pytest.mark.parametrize("value", ["Basic", "Basic ÿ", "Basic YQBi", "Bearer x", "x"])
def test_a_header_that_makes_no_sense_is_refused(
    value: str, anna: Browser, party: Party
) -> None:
    headers = {"Authorization": value.encode("latin-1").decode("latin-1")}
    words = {"grant_type": "authorization_code", "code": party.code(anna)}

    answer = Browser().post("/openid/token", words, headers=headers)

    assert answer.status_code in (400, 401)


def test_a_refreshed_token_tells_of_the_same_login(anna: Browser, party: Party) -> None:
    first = party.tokens(anna)

    with time_machine.travel(timezone.now() + timedelta(minutes=30)):
        assert party.userinfo(first["access_token"]).status_code == 401
        second = party.refresh(first["refresh_token"]).json()

        assert party.userinfo(second["access_token"]).status_code == 200
        before, after = _unchecked(first), party.claims(second)
    for name in ("sub", "auth_time", "amr"):
        assert after[name] == before[name]


def _unchecked(tokens: dict[str, str]) -> dict[str, object]:
    options = {"verify_signature": False}
    return dict(jwt.decode(tokens["id_token"], options=options))


def test_an_access_token_lives_for_five_minutes(anna: Browser, party: Party) -> None:
    assert party.tokens(anna)["expires_in"] == 300


def test_a_scope_that_comes_with_a_code_is_no_fault(
    anna: Browser, party: Party
) -> None:
    """Clients send it, whose users know it already (RFC 6749, 3.3)."""
    code = party.code(anna, scope="openid")

    answer = party.token(code=code, scope="openid profile email")

    assert answer.json()["scope"] == "openid"


def test_a_refreshed_token_may_open_less(anna: Browser, party: Party) -> None:
    value = party.tokens(anna)["refresh_token"]

    less = party.refresh(value, scope="openid").json()
    more = party.refresh(value, scope="openid admin")

    assert party.userinfo(less["access_token"]).json().keys() == {"sub"}
    assert error(more) == "invalid_scope"
    whole = party.refresh(value).json()["scope"].split()
    assert sorted(whole) == ["email", "openid", "profile"]


def test_a_refresh_token_is_good_with_its_clients_secret_alone(
    anna: Browser, party: Party
) -> None:
    value = party.tokens(anna)["refresh_token"]

    assert error(make_party("chat").refresh(value)) == "invalid_grant"
    party.secret = "wrong"
    assert error(party.refresh(value)) == "invalid_client"


def test_answers_with_tokens_are_kept_nowhere(anna: Browser, party: Party) -> None:
    answer = party.token(code=party.code(anna))
    claims = party.userinfo(answer.json()["access_token"])

    assert "no-store" in answer["Cache-Control"]
    assert "no-store" in claims["Cache-Control"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [({}, 400), ({"client_secret": "wrong"}, 401), ({"client_id": "unknown"}, 401)],
)
def test_many_failures_are_stopped(
    changes: dict[str, str], status: int, party: Party
) -> None:
    answers = [party.token(code="wrong", **changes) for _try in range(21)]

    assert {answer.status_code for answer in answers[:20]} == {status}
    assert answers[20].status_code == 429
    assert answers[20]["Retry-After"] == "60"
    assert AuditEvent.objects.filter(event=Event.CLIENT_REFUSED).count() == 20


def test_a_client_hears_of_every_session_that_ended(
    anna: Browser, party: Party
) -> None:
    values = [party.tokens(anna)["refresh_token"] for _session in range(25)]
    anna.post("/logout/")

    told = [error(party.refresh(value)) for value in values]

    assert told == ["invalid_grant"] * 25
    assert AuditEvent.objects.filter(event=Event.CLIENT_REFUSED).count() == 20


def test_a_client_that_asks_without_end_has_to_wait(
    anna: Browser, party: Party
) -> None:
    value = party.tokens(anna)["refresh_token"]

    limits = settings.ACCOUNT_RATE_LIMITS | {"openid": "2/m/key"}
    with override_settings(ACCOUNT_RATE_LIMITS=limits):
        answers = [party.refresh(value).status_code for _time in range(3)]

    assert answers == [200, 200, 429]
    assert make_party("chat").tokens(anna)["refresh_token"]


def test_nothing_that_opens_anything_is_stored(anna: Browser, party: Party) -> None:
    code = party.code(anna)
    tokens = party.token(code=code).json()
    party.token(code="wrong", client_secret="wrong")

    tables = (Grant, GrantedToken, Token, AuditEvent)
    stored = repr([list(model.objects.values()) for model in tables])
    secrets = [tokens["access_token"], tokens["refresh_token"], code, party.secret]
    assert not [secret for secret in secrets if secret in stored]
    assert party.secret not in party.openid.client.secret


def test_a_client_takes_its_tokens_back(anna: Browser, party: Party) -> None:
    tokens = party.tokens(anna)
    other = make_party("chat")
    words = {"token": tokens["refresh_token"]}
    own = {"client_id": party.client_id, "client_secret": party.secret}
    foreign = {"client_id": other.client_id, "client_secret": other.secret}

    assert error(anna.post("/openid/revoke", words | foreign)) == "invalid_grant"
    wrong = own | {"client_secret": "wrong"}
    assert error(anna.post("/openid/revoke", words | wrong)) == "invalid_client"
    assert party.userinfo(tokens["access_token"]).status_code == 200
    assert anna.post("/openid/revoke", words | own).status_code == 200
    assert party.userinfo(tokens["access_token"]).status_code == 401
    assert error(party.refresh(tokens["refresh_token"])) == "invalid_grant"


def test_a_code_is_no_token(anna: Browser, party: Party) -> None:
    code = party.code(anna)

    assert party.userinfo(code).status_code == 401
    assert grants.of_token(code) is None
    grants.forget_old()
    assert party.token(code=code).status_code == 200


def test_what_is_over_is_forgotten(anna: Browser, party: Party) -> None:
    kept, code = party.tokens(anna), party.code(anna)
    softphone = make_party("softphone", is_public=True)
    softphone.tokens(anna)

    Token.objects.create(type=Token.Type.REFRESH_TOKEN, hash="of no grant")

    with time_machine.travel(timezone.now() + timedelta(days=3)):
        grants.forget_old()

        assert grants.of_code(code) is None
        assert Grant.objects.count() == 1
        assert Token.objects.get().type == Token.Type.REFRESH_TOKEN
        assert party.refresh(kept["refresh_token"]).status_code == 200


def test_the_configuration_names_what_there_is(party: Party) -> None:
    told = Browser().get(
        "/.well-known/openid-configuration", headers={"Host": "localhost"}
    )

    facts = told.json()
    assert facts["issuer"] == "http://127.0.0.1:8000"
    assert facts["token_endpoint"] == "http://127.0.0.1:8000/openid/token"
    assert facts["code_challenge_methods_supported"] == ["S256"]
    assert facts["response_types_supported"] == ["code"]


def test_userinfo_takes_a_token_in_the_header_alone(
    anna: Browser, party: Party
) -> None:
    value = party.tokens(anna)["access_token"]

    in_address = anna.get("/openid/userinfo", {"access_token": value})
    assert in_address.status_code == 401
    assert in_address["WWW-Authenticate"] == 'Bearer realm="userinfo"'
    assert anna.post("/openid/userinfo", {"access_token": value}).status_code == 401
    assert anna.get("/openid/userinfo").status_code == 401


def test_a_refresh_token_opens_no_userinfo(anna: Browser, party: Party) -> None:
    value = party.tokens(anna)["refresh_token"]

    assert party.userinfo(value).status_code == 401


@pytest.mark.parametrize(
    ("method", "approver", "told"),
    [
        ("pbx", "", "pwd"),
        ("pbx", "email", "pwd mca email"),
        ("netlogon", "session", "pwd mca session"),
        ("oauth2", "email", "fed mca email"),
        ("pbx", "factor", "pwd mfa"),
        ("pbx", "unapproved", "pwd"),
    ],
)
def test_an_approval_is_told_as_what_it_was(
    method: str, approver: str, told: str
) -> None:
    """The whole way is in the journey; here the rule."""
    assert grants.methods({"method": method, "approver": approver}) == told


def test_what_was_told_wrongly_before_is_put_right(anna: Browser, party: Party) -> None:
    party.code(anna)
    UserSession.objects.update(data={"method": "pbx", "approver": "email"})
    Grant.objects.update(authentication_methods="pwd mfa")

    migration = "pbxsite.gateway.openid.migrations.0003_name_what_approved"
    import_module(migration).name(apps, None)

    assert Grant.objects.get().authentication_methods == "pwd mca email"


def test_a_secret_is_hashed_as_no_password_is(user: PbxUser, party: Party) -> None:
    assert party.openid.client.secret.startswith("pbkdf2_sha256_random$1$")
    assert not user.password.startswith("pbkdf2_sha256_random")
