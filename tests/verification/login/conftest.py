"""The provider that does as a test tells it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter
from tests.support.scripted_provider import Scripted, scripted_provider


@pytest.fixture
def script(configure: SettingsSetter, user: PbxUser) -> Iterator[Scripted]:
    with scripted_provider() as running:
        configure(**running.settings())
        yield running
