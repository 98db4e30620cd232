"""The trial of a provider's configuration, stage by stage and in words."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command

from authconfig.choices import Event, StepState
from authconfig.models import AuthenticationSettings
from authconfig.oauth2.choices import OAuth2Stage
from authconfig.oauth2.configuration_trial import try_oauth2
from authconfig.trial import Report, Step
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter
from tests.support.provider import Provider, running_provider
from tests.support.scripted_provider import KEYS, Scripted, scripted_provider

pytestmark = pytest.mark.django_db
CONFIGURATION = "/.well-known/openid-configuration"
ALL = list(OAuth2Stage)
S = OAuth2Stage
LIST = "token_endpoint_auth_methods_supported"


@pytest.fixture
def script() -> Iterator[Scripted]:
    with scripted_provider() as running:
        yield running


def checked(
    url: str, actor: PbxUser | None = None, *, secret: str = ""
) -> tuple[Report, list[Step]]:
    """Check settings that are not saved; return the report and what was told."""
    told: list[Step] = []
    row = AuthenticationSettings(
        oauth2_well_known_url=url, oauth2_client_id="pbx", oauth2_client_secret=secret
    )
    return try_oauth2(row, told.append, actor=actor), told


def test_a_certified_provider_passes_every_stage(provider: Provider) -> None:
    report, told = checked(provider.well_known_url)

    assert report.accepted
    assert [step.stage for step in report.steps] == ALL
    assert {step.state for step in report.steps} == {StepState.DONE}
    assert [step.state for step in told[:2]] == [StepState.STARTED, StepState.DONE]
    assert report.steps[1].words == provider.issuer
    assert "PKCE S256" in report.steps[-1].words
    assert "RS256" in report.steps[3].words


@pytest.mark.parametrize(
    ("change", "stage", "remedy"),
    [
        ({"issuer": "https://evil.example"}, S.ISSUER, "begins with the issuer"),
        ({"issuer": "https://x.example/{tenant}"}, S.ISSUER, "your own organisation"),
        ({"token_endpoint": None}, S.ENDPOINTS, "token_endpoint"),
        ({"jwks_uri": "http://keys.example/"}, S.ENDPOINTS, "are https"),
        ({"code_challenge_methods_supported": ["plain"]}, S.METHODS, "PKCE"),
        ({"response_types_supported": ["id_token"]}, S.METHODS, "response type code"),
        ({"response_modes_supported": ["form_post"]}, S.METHODS, "response mode query"),
        ({"grant_types_supported": ["implicit"]}, S.METHODS, "response type code"),
        ({LIST: ["private_key_jwt"]}, S.METHODS, "Allow client_secret_basic or"),
        ({LIST: ["tls_client_auth", {}]}, S.METHODS, "Allow client_secret_basic or"),
        ({"require_pushed_authorization_requests": True}, S.METHODS, "ordinary"),
        ({"require_signed_request_object": True}, S.METHODS, "without a signature"),
        (
            {"id_token_signing_alg_values_supported": ["HS512", "none"]},
            S.METHODS,
            "RS256, ES256 or EdDSA",
        ),
    ],
    ids=str,
)
def test_the_stage_that_fails_is_the_last_and_has_a_remedy(
    script: Scripted, change: dict[str, Any], stage: OAuth2Stage, remedy: str
) -> None:
    script.configuration = change

    report, _told = checked(script.well_known_url)

    assert not report.accepted
    assert [step.stage for step in report.steps] == ALL[: ALL.index(stage) + 1]
    assert report.steps[-1].state is StepState.FAILED
    assert report.steps[-1].words
    assert remedy in report.remedy


@pytest.mark.parametrize(
    ("features", "remedy"),
    [
        (
            {
                "pushedAuthorizationRequests": {
                    "enabled": True,
                    "requirePushedAuthorizationRequests": True,
                }
            },
            "Allow ordinary requests",
        ),
        (
            {"requestObjects": {"request": True, "requireSignedRequestObject": True}},
            "Allow requests without a signature",
        ),
    ],
    ids=["PAR", "JAR"],
)
def test_a_certified_provider_that_requires_more_fails(
    features: dict[str, Any], remedy: str
) -> None:
    with running_provider(features=features) as strict:
        report, _told = checked(strict.well_known_url)

    assert not report.accepted
    assert remedy in report.remedy


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        ((302, b""), "not one that leads there"),
        ((404, b""), "/.well-known/openid-configuration"),
        ((200, b"<html>"), "/.well-known/openid-configuration"),
        ((503, b""), "Try again later"),
    ],
    ids=["redirect", "404", "html", "503"],
)
def test_what_is_no_configuration_fails_as_it_is_fetched(
    script: Scripted, answer: tuple[int, bytes], remedy: str
) -> None:
    script.instead[CONFIGURATION] = answer

    report, _told = checked(script.well_known_url)

    assert [step.stage for step in report.steps] == [S.FETCH]
    assert remedy in report.remedy


@pytest.mark.parametrize(
    "keys", [b"{}", b'{"keys": []}', b'{"keys": ["x"]}', b'{"keys": [{"kty": "oct"}]}']
)
def test_keys_that_are_none_fail(script: Scripted, keys: bytes) -> None:
    script.instead["/keys"] = (200, keys)

    report, _told = checked(script.well_known_url)

    assert report.steps[-1].stage is S.KEYS
    assert report.steps[-1].state is StepState.FAILED


@pytest.mark.parametrize(
    "configuration",
    [
        {LIST: ["none", "private_key_jwt"]},
        {LIST: ["client_secret_post"]},
        {"require_pushed_authorization_requests": False},
        {"id_token_signing_alg_values_supported": ["HS512", "Ed25519"]},
    ],
    ids=str,
)
def test_what_a_login_can_do_with_passes(
    script: Scripted, configuration: dict[str, Any]
) -> None:
    script.configuration = configuration

    assert checked(script.well_known_url)[0].accepted


def test_a_secret_needs_a_way_to_be_shown(script: Scripted) -> None:
    script.configuration = {LIST: ["none", "private_key_jwt"]}

    report, _told = checked(script.well_known_url, secret="a secret")

    assert not report.accepted
    assert "none, private_key_jwt" in report.steps[-1].words


def test_a_test_asks_what_has_just_failed(script: Scripted) -> None:
    script.instead[CONFIGURATION] = (503, b"")
    assert not checked(script.well_known_url)[0].accepted
    script.instead.clear()

    assert checked(script.well_known_url)[0].accepted
    assert script.asked.count(CONFIGURATION) == 2
    assert script.publishes == [KEYS[0]]


def test_it_is_recorded_and_proves_nothing(
    script: Scripted, administrator: PbxUser
) -> None:
    checked(script.well_known_url, administrator)

    event = AuditEvent.objects.get(event=Event.OAUTH2_TESTED)
    assert (event.actor, event.method, event.proof) == (administrator, "oauth2", "")


@pytest.mark.parametrize("kind", ["pbx_only", "oauth2_only"])
def test_the_command_tells_the_stages(
    configure: SettingsSetter, provider: Provider, kind: str
) -> None:
    configure(**provider.settings(authentication_type=kind))
    out = io.StringIO()

    call_command("authconfig", "test", "oauth2", stdout=out)

    lines = out.getvalue().splitlines()
    assert [line.partition(":")[0] for line in lines[:5]] == [s.value for s in ALL]
    assert f"accepted: {provider.well_known_url}" in lines


def test_the_command_fails_with_the_remedy(
    configure: SettingsSetter, script: Scripted
) -> None:
    configure(**script.settings())
    script.instead[CONFIGURATION] = (302, b"")
    out, err = io.StringIO(), io.StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("authconfig", "test", "oauth2", stdout=out, stderr=err)

    assert ended.value.code == 1
    assert out.getvalue().startswith("fetch: failed")
    assert "not one that leads there" in err.getvalue()


def test_the_command_says_that_no_provider_is_set(configure: SettingsSetter) -> None:
    configure(oauth2_well_known_url="")
    err = io.StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("authconfig", "test", "oauth2", stderr=err)

    assert ended.value.code == 1
    assert "oauth2_well_known_url" in err.getvalue()
