"""A provider with a key, whose first run is confirmed."""

from __future__ import annotations

import pytest

from tests.support.scim import ScimClient, confirm


@pytest.fixture
def scim(db: None) -> ScimClient:
    confirm()
    return ScimClient()
