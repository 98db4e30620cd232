"""Canaille, with its defaults: each client shows its secret in one way alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client as Browser

from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter
from tests.support.canaille import Canaille, running_canaille
from tests.support.oauth2_logins import come_back, is_signed_in, leads_to, start

pytestmark = [pytest.mark.django_db, pytest.mark.long]


@pytest.fixture(scope="module")
def canaille() -> Iterator[Canaille]:
    with running_canaille() as running:
        yield running


@pytest.mark.parametrize(
    ("client", "secret"),
    [("pbx", "a-plain-secret"), ("pbx-odd", "a+secret %with: signs")],
)
def test_a_client_of_basic_alone_logs_in(
    canaille: Canaille,
    user: PbxUser,
    browser: Browser,
    configure: SettingsSetter,
    client: str,
    secret: str,
) -> None:
    values = {"oauth2_client_id": client, "oauth2_client_secret": secret}
    configure(**canaille.settings(**values))

    come_back(browser, canaille.log_in(leads_to(start(browser))))

    assert is_signed_in(browser)
