"""The keys that sign: one signs, older ones are believed for a while."""

from __future__ import annotations

from datetime import timedelta

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives import serialization
from django.conf import settings
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.test import Client as Browser
from django.test import override_settings
from django.utils import timezone

from authconfig.users.models import AuditEvent
from pbxsite.gateway.openid import keys
from pbxsite.gateway.openid.models import SigningKey
from tests.support.openid import Party

pytestmark = pytest.mark.django_db


def published() -> list[str]:
    return [key["kid"] for key in Browser().get("/openid/keys").json()["keys"]]


@pytest.mark.database
def test_a_key_is_made_when_it_is_needed_and_once() -> None:
    first = published()

    assert len(first) == 1
    assert published() == first
    assert jwt.PyJWK(Browser().get("/openid/keys").json()["keys"][0]).key.key_size >= (
        3072
    )


@pytest.mark.database
def test_of_two_keys_at_once_one_signs(pem: str) -> None:
    SigningKey.objects.create(pem=pem)

    with pytest.raises(IntegrityError, match=r"one_key_signs|is_current"):
        SigningKey.objects.create(pem=pem)


def test_a_key_is_read_once(
    anna: Browser, party: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a tenth of a second, and any stranger may ask for the keys."""
    hint = party.tokens(anna)["id_token"]
    published()
    read: list[bytes] = []
    monkeypatch.setattr(
        serialization, "load_pem_private_key", lambda pem, **_: read.append(pem)
    )

    published()
    Browser().get("/openid/logout", {"id_token_hint": hint})
    party.tokens(anna)

    assert read == []


def test_a_key_lies_encrypted(signing_key: SigningKey) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pem FROM openid_signingkey")
        (stored,) = cursor.fetchone()

    assert "PRIVATE" not in stored
    assert "PRIVATE" in signing_key.pem


def test_after_a_rotation_old_and_new_are_believed(
    anna: Browser, party: Party, capsys: pytest.CaptureFixture[str]
) -> None:
    before = party.tokens(anna)
    (old,) = published()

    call_command("rotatesigningkey")

    assert published()[1:] == [old]
    assert party.claims(before)["upn"] == "anna"
    after = party.tokens(anna)
    assert jwt.get_unverified_header(after["id_token"])["kid"] == published()[0] != old
    assert "is published until" in capsys.readouterr().out
    assert AuditEvent.objects.filter(detail="new signing key").exists()
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        assert old not in published()


def test_a_key_that_leaked_is_believed_no_longer(
    anna: Browser, party: Party, capsys: pytest.CaptureFixture[str]
) -> None:
    old = published()

    call_command("rotatesigningkey", "--leaked")

    assert len(published()) == 1
    assert published() != old
    assert "until" not in capsys.readouterr().out


def test_a_key_that_none_of_the_ring_opens_signs_nothing(
    anna: Browser, party: Party
) -> None:
    code = party.code(anna)

    with override_settings(ENCRYPTION_KEYS=["another key that was never used"]):
        answer = party.token(code=code)
        assert answer.status_code == 503
        assert answer.json() == {"error": "temporarily_unavailable"}
        assert published() == []
        call_command("rotatesigningkey")
        assert len(published()) == 1


@pytest.mark.database
def test_the_key_ring_turns_with_it(signing_key: SigningKey) -> None:
    ring = ["a new key of the ring", *settings.ENCRYPTION_KEYS]
    with override_settings(ENCRYPTION_KEYS=ring):
        call_command("rotatekeys")
    with override_settings(ENCRYPTION_KEYS=ring[:1]):
        assert keys.published().get().pem == signing_key.pem
