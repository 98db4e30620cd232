"""What a provider may say of a user: forged, wrong or odd, and what passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client as Browser
from jwt.algorithms import OKPAlgorithm

from tests.conftest import SettingsSetter
from tests.support.oauth2_logins import (
    FromNow,
    assert_refused,
    come_back,
    is_signed_in,
    leads_to,
    log_in,
    start,
    timed,
)
from tests.support.scripted_provider import KEYS, Scripted

pytestmark = pytest.mark.django_db
Change = Callable[[Scripted], object]


def test_the_script_itself_logs_in(script: Scripted, browser: Browser) -> None:
    log_in(browser, script)

    assert is_signed_in(browser)


def _public_pem() -> bytes:
    key = KEYS[0].public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _with_public_key_as_secret(script: Scripted) -> str:
    """PyJWT itself refuses to make such a token: put it together by hand."""
    head = jwt.utils.base64url_encode(b'{"alg":"HS256","kid":"key-0","typ":"JWT"}')
    body = script.token().split(".")[1].encode()
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signed = algorithm.sign(head + b"." + body, _public_pem())
    return b".".join((head, body, jwt.utils.base64url_encode(signed))).decode()


def _unsigned(script: Scripted) -> str:
    return script.token(key=None, algorithm="none")


def _by_another_key(script: Scripted) -> str:
    return script.token(key=KEYS[1], headers={"kid": "key-0"})


def _cut_short(script: Scripted) -> str:
    return script.token()[:-20]


@pytest.mark.parametrize(
    "forge", [_with_public_key_as_secret, _unsigned, _by_another_key, _cut_short]
)
def test_a_forged_id_token_is_refused(
    script: Scripted, browser: Browser, forge: Callable[[Scripted], str]
) -> None:
    address = script.log_in(leads_to(start(browser)))
    script.id_token = forge(script)

    assert_refused(come_back(browser, address), browser, "the ID token is not valid")


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": 7},
        {"aud": "another"},
        {"aud": ["pbx", "another"]},
        {"aud": ["pbx", "another"], "azp": "another"},
        {"azp": "another"},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"exp": FromNow(-100)},
        {"exp": "soon"},
        {"exp": None},
        {"iat": FromNow(1000)},
        {"iat": None},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": None},
        {"sub": 7},
    ],
    ids=str,
)
def test_a_wrong_claim_is_refused(
    script: Scripted, browser: Browser, claims: dict[str, Any]
) -> None:
    script.claims = timed(claims)
    script.configuration = {"userinfo_endpoint": ""}

    assert_refused(log_in(browser, script), browser, "the ID token is not valid")


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": FromNow(-20)},
        {"iat": FromNow(40)},
        {"aud": ["pbx"]},
        {"aud": ["pbx", "another"], "azp": "pbx"},
        {"sub": "x" * 255},
        {"name": 7, "email": ["x"], "given_name": {}},
        {"upn": "ANNA@Example.COM"},
    ],
    ids=str,
)
def test_what_is_right_passes(
    script: Scripted, browser: Browser, claims: dict[str, Any]
) -> None:
    script.claims = timed(claims)

    log_in(browser, script)

    assert is_signed_in(browser)


@pytest.mark.parametrize("id_token", ["", "x", "a.b.c", 7, None])
def test_what_is_no_id_token_is_refused(
    script: Scripted, browser: Browser, id_token: Any
) -> None:
    script.token_words = {"id_token": id_token}

    assert_refused(log_in(browser, script), browser, "ID token")


@pytest.mark.parametrize("algorithm", ["RS512", "PS256"])
def test_other_signatures_pass(
    script: Scripted, browser: Browser, algorithm: str
) -> None:
    address = script.log_in(leads_to(start(browser)))
    script.id_token = script.token(algorithm=algorithm)

    come_back(browser, address)

    assert is_signed_in(browser)


@pytest.mark.parametrize("named", ["EdDSA", "Ed25519", None])
@pytest.mark.parametrize("algorithm", ["EdDSA", "Ed25519"])
def test_eddsa_has_two_names(
    script: Scripted, browser: Browser, algorithm: str, named: str | None
) -> None:
    """RFC 8037 and RFC 9864; a key may name either, or none."""
    key = Ed25519PrivateKey.generate()
    jwk = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": "ed"}
    known = {"keys": [jwk | {"alg": named} if named else jwk]}
    script.instead["/keys"] = (200, json.dumps(known).encode())
    address = script.log_in(leads_to(start(browser)))
    script.id_token = script.token(key=key, algorithm=algorithm, headers={"kid": "ed"})

    come_back(browser, address)

    assert is_signed_in(browser)


def test_the_name_of_the_curve_holds(script: Scripted, browser: Browser) -> None:
    key = Ed448PrivateKey.generate()
    jwk = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    known = {"keys": [jwk | {"kid": "ed", "alg": "EdDSA"}]}
    script.instead["/keys"] = (200, json.dumps(known).encode())
    address = script.log_in(leads_to(start(browser)))
    script.id_token = script.token(key=key, algorithm="Ed25519", headers={"kid": "ed"})

    page = come_back(browser, address)

    assert_refused(page, browser, "the ID token is not valid: InvalidSignature")


@pytest.mark.parametrize("algorithm", ["HS512", "ES256K", "none"])
def test_an_algorithm_that_is_not_ours_is_named(
    script: Scripted, browser: Browser, algorithm: str
) -> None:
    address = script.log_in(leads_to(start(browser)))
    head = jwt.utils.base64url_encode(json.dumps({"alg": algorithm}).encode())
    script.id_token = ".".join([head.decode(), *script.token().split(".")[1:]])

    page = come_back(browser, address)

    assert_refused(page, browser, f"it is signed by another algorithm: {algorithm}")


def test_an_encrypted_id_token_is_called_so(script: Scripted, browser: Browser) -> None:
    script.id_token = "eyJhbGciOiJSU0EtT0FFUCJ9.a2V5.aXY.Y2lwaGVy.dGFn"

    assert_refused(log_in(browser, script), browser, "is encrypted: ID token")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmVk", "a signed UserInfo"),
        (b"eyJhbGciOiJSU0EtT0FFUCJ9..aXY.Y2lwaGVy.dGFn\n", "encrypted: UserInfo"),
        (b"1.5", "no JSON object"),
    ],
    ids=["signed", "encrypted", "a number"],
)
def test_a_userinfo_that_is_a_jwt_is_called_so(
    script: Scripted, browser: Browser, body: bytes, why: str
) -> None:
    script.instead["/userinfo"] = (200, body)

    assert_refused(log_in(browser, script), browser, why)


@pytest.mark.parametrize("upn", ["", " anna@example.com", 7, None, ["anna"], "a\x00b"])
def test_a_name_that_is_none_is_refused(
    script: Scripted, browser: Browser, upn: Any
) -> None:
    script.claims = {"upn": upn}

    assert_refused(log_in(browser, script), browser, "claim that names the user")


@pytest.mark.parametrize(
    "upn",
    [
        "anna@example.com.evil.test",
        "anna@example.com.",
        "anna@evil.test",
        "anna@еxample.com",  # noqa: RUF001  (Cyrillic)
        "аnna@example.com",  # noqa: RUF001  (Cyrillic)
        "ａnna@example.com",  # noqa: RUF001  (a wide a, which PBX names fold)
        "anna@example.com@evil.test",
        "EXAMPLE\\anna",
    ],
)
def test_a_look_alike_takes_over_nothing(
    script: Scripted, browser: Browser, upn: str
) -> None:
    script.claims = {"upn": upn}

    assert_refused(log_in(browser, script), browser, "no PBX user")


@pytest.mark.parametrize("name", ["an\u200bna", "anna\u00ad"], ids=ascii)
def test_what_cannot_be_seen_is_no_part_of_the_name(
    script: Scripted, browser: Browser, name: str
) -> None:
    script.claims = {"upn": f"{name}@example.com"}

    log_in(browser, script)

    assert is_signed_in(browser)


def test_userinfo_of_another_user_is_refused(
    script: Scripted, browser: Browser
) -> None:
    script.userinfo = {"sub": "2"}

    assert_refused(log_in(browser, script), browser, "another subject")


def test_an_address_is_not_verified_by_what_userinfo_says_of_another(
    script: Scripted, browser: Browser, configure: SettingsSetter
) -> None:
    configure(oauth2_upn_claim="email")
    script.claims = {"email": "anna@example.com"}
    script.userinfo = {"sub": "1", "email": "eve@x.test", "email_verified": True}

    assert_refused(log_in(browser, script), browser, "not verified")


@pytest.mark.parametrize(
    "sent", [{"iss": "https://evil.example"}, {"iss": ""}, {}], ids=str
)
def test_the_issuer_of_the_answer_is_checked(
    script: Scripted, browser: Browser, sent: dict[str, str]
) -> None:
    """RFC 9207; what is promised must be sent."""
    script.configuration = {"authorization_response_iss_parameter_supported": True}
    script.callback = sent

    assert_refused(log_in(browser, script), browser, "another issuer")
    assert "/token" not in script.asked


def test_an_issuer_that_was_not_promised_is_checked_too(
    script: Scripted, browser: Browser
) -> None:
    script.callback = {"iss": "https://evil.example"}

    assert_refused(log_in(browser, script), browser, "another issuer")
