"""Whether answers about a PBX password tell by their time who has one."""

from __future__ import annotations

import pytest
from django.contrib.auth.hashers import get_hasher

from authconfig.methods import password
from authconfig.users.models import PbxUser
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each password that is hashed: nothing else takes as long."""
    found: list[str] = []
    hasher = type(get_hasher())
    encode = hasher.encode

    def note(self: object, word: str, *args: object) -> str:
        found.append(word)
        encoded: str = encode(self, word, *args)
        return encoded

    monkeypatch.setattr(hasher, "encode", note)
    return found


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("anna", PASSWORD),
        ("anna", "wrong"),
        ("idle", PASSWORD),
        ("windows", PASSWORD),
        ("nobody", PASSWORD),
    ],
)
def test_each_answer_costs_one_hash(
    user: PbxUser, hashes: list[str], name: str, word: str
) -> None:
    PbxUser.objects.create_user("idle", PASSWORD, is_active=False)
    PbxUser.objects.create_user("windows")
    hashes.clear()

    found = password.check(name, word)

    assert found == (user if (name, word) == ("anna", PASSWORD) else None)
    assert hashes == [word]
