"""From the code to the claims, and what is refused on the way."""

from __future__ import annotations

import pytest
from django.test import Client as Browser

from authconfig.models import PbxUser
from tests.conftest import Starter
from tests.openid import Party, make_party


@pytest.fixture
def party(db: None) -> Party:
    return make_party()


@pytest.fixture
def anna(user: PbxUser, start: Starter, browser: Browser) -> Browser:
    start(browser)
    return browser


def test_a_client_learns_who_logged_in_and_how(anna: Browser, party: Party) -> None:
    claims = party.claims(party.tokens(anna))

    assert claims["upn"] == "anna"
    assert claims["name"] == "Anna Berg"
    assert claims["email"] == "anna@example.com"
    assert claims["amr"] == ["pwd"]
    assert claims["nonce"] == "a nonce"
