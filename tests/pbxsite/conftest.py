"""Anna's browser, and an application that asks who she is."""

from __future__ import annotations

import pytest
from django.test import Client as Browser

from authconfig.users.models import PbxUser
from pbxsite.gateway.openid import keys
from pbxsite.gateway.openid.models import SigningKey
from tests.conftest import Starter
from tests.support.openid import Party, make_party


@pytest.fixture(scope="session")
def pem() -> str:
    return keys.new_pem()


@pytest.fixture
def signing_key(db: None, pem: str) -> SigningKey:
    """To make one takes half a second."""
    return SigningKey.objects.create(pem=pem)


@pytest.fixture
def party(signing_key: SigningKey) -> Party:
    return make_party()


@pytest.fixture
def anna(user: PbxUser, start: Starter, browser: Browser) -> Browser:
    start(browser)
    return browser
