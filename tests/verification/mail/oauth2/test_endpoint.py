"""What a token endpoint may answer, and what administrators hear of it."""

from __future__ import annotations

import base64
import logging
from typing import Any

import jwt
import pytest

from authconfig.choices import OAuth2Grant
from tests.support.certificates import make_authority
from tests.support.mail_provider import private_key, private_pem
from tests.support.scripted_smtp import closed_port
from tests.support.scripted_tokens import Answer, TokenEndpoint, refusal, token
from verification.mail.oauth2 import endpoint as token_endpoints
from verification.mail.oauth2.configuration import ClientShows
from verification.mail.oauth2.faults import REMEDIES, TokenError, TokenFault

HTML = (200, "text/html", b"<html>Please log in to the hotel's network</html>")
CODE, OWNER = OAuth2Grant.AUTHORIZATION_CODE, OAuth2Grant.PASSWORD
ASSERTION = OAuth2Grant.JWT_BEARER
# As Entra ID and Google say them in their documents; numbers and names are made up.
ENTRA_SECRET = refusal(
    "invalid_client",
    "AADSTS7000222: The provided client secret keys for app 'pbx' are expired.",
    401,
    error_codes=[7000222],
)
ENTRA_CONSENT = refusal(
    "invalid_grant",
    "AADSTS65001: The user or administrator has not consented to use the application.",
    error_codes=[65001],
    suberror="consent_required",
)
ENTRA_FACTOR = refusal(
    "interaction_required",
    "AADSTS50076: you must use multi-factor authentication to access the resource.",
    error_codes=[50076],
)
GOOGLE_REVOKED = refusal("invalid_grant", "Token has been expired or revoked.")
GOOGLE_DELEGATION = refusal(
    "unauthorized_client",
    "Client is unauthorized to retrieve access tokens using this method, or client not"
    " authorized for any of the scopes requested.",
    401,
)
GOOGLE_KEY = refusal("invalid_grant", "Invalid JWT Signature.")
CASES: list[tuple[OAuth2Grant, Answer, TokenFault, str]] = [
    (CODE, HTML, TokenFault.NOT_OAUTH2, "status 200, text/html"),
    (CODE, (404, "text/html", b"no"), TokenFault.NOT_OAUTH2, "status 404"),
    (CODE, (502, "text/html", b"no"), TokenFault.PROVIDER_BUSY, "status 502"),
    (CODE, (200, "application/json", b"[]"), TokenFault.NOT_OAUTH2, "status 200"),
    (CODE, (200, "application/json", b"{}"), TokenFault.NOT_OAUTH2, "missing_token"),
    (CODE, (302, "text/html", b""), TokenFault.NOT_OAUTH2, "elsewhere.example"),
    (CODE, token("two words"), TokenFault.NOT_OAUTH2, "access_token"),
    (CODE, token("x" * 9001), TokenFault.NOT_OAUTH2, "access_token"),
    (CODE, token("t", token_type="DPoP"), TokenFault.NOT_OAUTH2, "DPoP"),
    (CODE, refusal("slow_down", status=429), TokenFault.PROVIDER_BUSY, "slow_down"),
    (CODE, refusal("odd", status=503), TokenFault.PROVIDER_BUSY, "odd"),
    (CODE, refusal("odd", "No such thing"), TokenFault.REQUEST, "odd: No such thing"),
    (CODE, ENTRA_SECRET, TokenFault.CLIENT, "AADSTS7000222"),
    (CODE, ENTRA_CONSENT, TokenFault.INTERACTION, "AADSTS65001"),
    (OWNER, ENTRA_FACTOR, TokenFault.INTERACTION, "AADSTS50076"),
    (CODE, GOOGLE_REVOKED, TokenFault.GRANT, "expired or revoked"),
    (OWNER, refusal("invalid_grant", "AADSTS50126"), TokenFault.OWNER, "AADSTS50126"),
    (ASSERTION, GOOGLE_DELEGATION, TokenFault.CLIENT, "Client is unauthorized"),
    (ASSERTION, GOOGLE_KEY, TokenFault.ASSERTION, "Invalid JWT Signature"),
    (CODE, refusal("invalid_scope"), TokenFault.SCOPE, "invalid_scope"),
]
PASSES = {TokenFault.NOT_OAUTH2, TokenFault.PROVIDER_BUSY}


def ask(endpoint: TokenEndpoint, grant: OAuth2Grant = CODE) -> token_endpoints.Tokens:
    values = {"resource_owner": "anna", "resource_owner_password": "a-long-password"}
    configuration = endpoint.configuration(grant, private_key=private_pem(), **values)
    if grant == CODE:
        return token_endpoints.refresh(configuration, "a-refresh-token")
    return token_endpoints.ask(configuration)


@pytest.mark.parametrize(("grant", "answer", "fault", "words"), CASES)
def test_an_answer_without_a_token_is_told_in_words(
    endpoint: TokenEndpoint,
    grant: OAuth2Grant,
    answer: Answer,
    fault: TokenFault,
    words: str,
) -> None:
    endpoint.answers = [answer]

    with pytest.raises(TokenError) as raised:
        ask(endpoint, grant)

    assert (raised.value.fault, raised.value.is_for_good) == (
        fault,
        fault not in PASSES,
    )
    assert words in raised.value.words
    assert raised.value.remedy == REMEDIES[fault]


def test_an_endpoint_that_is_down_is_told_and_waited_for(
    endpoint: TokenEndpoint,
) -> None:
    url = f"http://127.0.0.1:{closed_port()}/token"

    with pytest.raises(TokenError, match="no connection at this port") as raised:
        token_endpoints.ask(endpoint.configuration(token_url=url))

    assert raised.value.fault is TokenFault.UNREACHABLE
    assert not raised.value.is_for_good


def test_a_slow_endpoint_is_waited_for_no_longer_than_the_limit(
    endpoint: TokenEndpoint, settings: Any
) -> None:
    settings.OAUTH2_TIMEOUT = 0.2
    endpoint.before_answer = lambda: endpoint.ended.wait(5)

    with pytest.raises(TokenError, match=r"within 0\.2 seconds") as raised:
        token_endpoints.ask(endpoint.configuration())

    assert raised.value.fault is TokenFault.TIMEOUT


@pytest.mark.parametrize("grant", [CODE, OWNER, ASSERTION])
def test_no_secret_is_in_what_is_said_of_a_failure(
    endpoint: TokenEndpoint, grant: OAuth2Grant, caplog: pytest.LogCaptureFixture
) -> None:
    """Some servers repeat the whole request."""
    caplog.set_level(logging.DEBUG)
    endpoint.repeats = True

    with pytest.raises(TokenError) as raised:
        ask(endpoint, grant)

    (form,) = endpoint.forms
    names = ("refresh_token", "password", "client_secret", "assertion")
    secrets = {form[name] for name in names if name in form}
    assert len(secrets) == 2
    told = f"{raised.value!r} {raised.value.words} {caplog.text}"
    assert not [secret for secret in secrets if secret in told]


def test_a_secret_by_basic_is_also_shown_to_servers_that_do_not_decode_it(
    endpoint: TokenEndpoint,
) -> None:
    endpoint.answers = [refusal("invalid_client", status=401), token()]
    configuration = endpoint.configuration(shows=ClientShows.BASIC)

    token_endpoints.ask(configuration)

    shown = [headers["Authorization"].split()[1] for headers in endpoint.headers]
    encoded, plain = (base64.b64decode(each).decode() for each in shown)
    assert encoded.startswith("pbx:the+mail+client%27s")
    assert plain == f"pbx:{configuration.client_secret}"
    assert "client_secret" not in endpoint.forms[0]


def test_what_is_sent_to_google_is_what_its_document_names(
    endpoint: TokenEndpoint,
) -> None:
    configuration = endpoint.configuration(
        ASSERTION,
        ClientShows.NOTHING,
        issuer="robot@project.iam.example",
        subject="pbx@example.com",
        private_key=private_pem(),
        key_id="key-7",
        scope="https://mail.google.com/",
        has_scope_in_assertion=True,
    )

    token_endpoints.ask(configuration)

    (form,) = endpoint.forms
    assert set(form) == {"grant_type", "assertion"}
    header = jwt.get_unverified_header(form["assertion"])
    claims = jwt.decode(
        form["assertion"],
        private_key().public_key(),
        algorithms=["RS256"],
        audience=endpoint.url,
    )
    assert (header["alg"], header["kid"]) == ("RS256", "key-7")
    assert claims["iss"] == "robot@project.iam.example"
    assert claims["sub"] == "pbx@example.com"
    assert claims["scope"] == "https://mail.google.com/"
    assert claims["exp"] - claims["iat"] <= 3600


def test_entra_id_finds_the_certificate_of_a_signature(endpoint: TokenEndpoint) -> None:
    authority = make_authority()
    configuration = endpoint.configuration(
        shows=ClientShows.KEY,
        private_key=private_pem(),
        certificate=authority.ca_pem,
        algorithm="PS256",
        scope="https://outlook.office365.com/.default",
    )

    token_endpoints.ask(configuration)

    (form,) = endpoint.forms
    header = jwt.get_unverified_header(form["client_assertion"])
    claims = jwt.decode(form["client_assertion"], options={"verify_signature": False})
    assert (header["alg"], len(header["x5t#S256"])) == ("PS256", 43)
    assert claims["iss"] == claims["sub"] == form["client_id"] == "pbx"
    assert claims["aud"] == endpoint.url
    assert form["grant_type"] == "client_credentials"


def test_further_parameters_go_along_and_replace_nothing(
    endpoint: TokenEndpoint,
) -> None:
    more = "audience=mail&grant_type=password&client_id=other"

    token_endpoints.ask(endpoint.configuration(parameters=more))

    (form,) = endpoint.forms
    assert form["audience"] == "mail"
    assert (form["grant_type"], form["client_id"]) == ("client_credentials", "pbx")


@pytest.mark.parametrize(
    ("told", "seconds"),
    [({"expires_in": "1800"}, 1800), ({"expires_in": None}, 600), ({}, 3600)],
)
def test_how_long_a_token_lives_may_be_told_in_other_ways(
    endpoint: TokenEndpoint, told: dict[str, object], seconds: int
) -> None:
    endpoint.answers = [token(**told)]

    assert token_endpoints.ask(endpoint.configuration()).seconds == seconds
