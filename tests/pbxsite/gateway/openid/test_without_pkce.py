"""A client with a secret that cannot do PKCE: what its switch allows, and demands."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import IntegrityError
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import Event
from authconfig.users.models import AuditEvent
from pbxsite.gateway.openid.models import Grant, OpenIdClient, SigningKey
from tests.support.openid import Party, make_party, told

NO_CHALLENGE = {"code_challenge": None, "code_challenge_method": None}
SWITCH = "tick “without PKCE”"


@pytest.fixture
def without(signing_key: SigningKey) -> Party:
    return make_party(without_pkce=True)


def test_with_the_switch_a_client_logs_in_without_pkce(
    anna: Browser, without: Party
) -> None:
    code = without.code(anna, **NO_CHALLENGE)

    tokens = without.token(code=code, code_verifier=None).json()

    assert without.claims(tokens)["nonce"] == "a nonce"


def test_with_the_switch_pkce_still_counts(anna: Browser, without: Party) -> None:
    wrong = without.token(code=without.code(anna), code_verifier="v" * 43)
    missing = without.token(code=without.code(anna), code_verifier=None)

    assert wrong.json()["error"] == "invalid_grant"
    assert missing.json()["error"] == "invalid_request"
    assert without.token(code=without.code(anna)).status_code == 200


@pytest.mark.parametrize("nonce", [None, ""], ids=["no nonce", "an empty nonce"])
def test_without_pkce_a_nonce_is_demanded(
    nonce: str | None, anna: Browser, without: Party
) -> None:
    answer = told(anna.get(without.asked(**NO_CHALLENGE, nonce=nonce)))

    assert answer["error"] == "invalid_request"
    assert "nonce" in answer["error_description"]
    assert answer["state"] == "a state"
    assert told(anna.get(without.asked(nonce=nonce)))["code"]


@pytest.mark.parametrize("method", ["plain", "S256"])
def test_a_method_without_a_challenge_is_refused(
    method: str, anna: Browser, without: Party
) -> None:
    words = {"code_challenge": None, "code_challenge_method": method}

    assert told(anna.get(without.asked(**words)))["error"] == "invalid_request"


def test_a_verifier_without_a_challenge_is_refused(
    anna: Browser, without: Party
) -> None:
    """Somebody may have taken the challenge out (RFC 9700, 2.1.1)."""
    code = without.code(anna, **NO_CHALLENGE)

    refused = without.token(code=code)

    assert refused.json()["error"] == "invalid_grant"
    assert Grant.objects.get().spent_at is None


def test_the_refusal_tells_the_administrator_which_switch(
    anna: Browser, party: Party, admin: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    page = f"/admin/clients/clientapplication/{party.openid.application.pk}/change/"
    assert "Refused of late" not in admin.get(page).content.decode()

    answer = told(anna.get(party.asked(**NO_CHALLENGE)))
    told(anna.get(party.asked(**NO_CHALLENGE)))

    assert answer["error_description"] == "PKCE with S256 is required"
    refused = AuditEvent.objects.filter(event=Event.CLIENT_REFUSED).first()
    assert refused
    assert SWITCH in refused.detail
    assert len([line for line in caplog.messages if SWITCH in line]) == 1
    assert SWITCH in admin.get(page).content.decode()
    assert "ask without PKCE: Voicemail" in admin.get("/admin/").content.decode()


def test_the_administrator_is_told_no_longer_than_it_helps(
    anna: Browser, party: Party, admin: Browser
) -> None:
    told(anna.get(party.asked(**NO_CHALLENGE)))

    with time_machine.travel(timezone.now() + timedelta(days=8)):
        assert "without PKCE" not in admin.get("/admin/").content.decode()
    OpenIdClient.objects.update(without_pkce=True)
    assert "without PKCE" not in admin.get("/admin/").content.decode()


def test_a_public_client_has_no_such_switch(
    anna: Browser, signing_key: SigningKey
) -> None:
    party = make_party(is_public=True)

    answer = told(anna.get(party.asked(**NO_CHALLENGE)))

    assert answer["error"] == "invalid_request"
    refused = AuditEvent.objects.get(event=Event.CLIENT_REFUSED)
    assert SWITCH not in refused.detail
    with pytest.raises(IntegrityError, match="public_client_has_pkce"):
        OpenIdClient.objects.update(without_pkce=True)
