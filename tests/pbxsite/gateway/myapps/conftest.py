from __future__ import annotations

import pytest

from authconfig.models import AuthenticationSettings
from authconfig.users import kept_passwords
from authconfig.users.models import PbxUser
from tests.conftest import PASSWORD, SettingsSetter
from verification.approval.live import hub as hubs


@pytest.fixture(autouse=True)
def _fresh_hub(hub: hubs.Hub) -> None:
    """Each test has a loop of its own."""


@pytest.fixture
def digest(configure: SettingsSetter, user: PbxUser) -> AuthenticationSettings:
    """Digest logins are allowed, and Anna's password is kept."""
    rules = configure(myapps_digest_logins=True)
    kept_passwords.keep(user, PASSWORD)
    return rules


@pytest.fixture
def digest_and_two_factor(
    two_factor: AuthenticationSettings, digest: AuthenticationSettings
) -> AuthenticationSettings:
    return digest
