"""A PBX with the right key, and a mail server that takes what it is given."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.storage import storages
from django.test import Client as Browser
from pytest_django import Settings

from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter
from tests.support.smtp_servers import Server
from verification.voicemail import keys


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, settings: Settings) -> Path:
    place = tmp_path / "recordings"
    options = settings.STORAGES["recordings"]["OPTIONS"] | {"location": str(place)}
    changed = settings.STORAGES["recordings"] | {"OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"recordings": changed}
    assert storages["recordings"].path("x") == str(place / "x")
    return place


@pytest.fixture
def account(configure: SettingsSetter, server: Server) -> None:
    configure(
        smtp_server="127.0.0.1",
        smtp_port=server.port,
        smtp_security="none",
        smtp_email_address="pbx@example.com",
    )


@pytest.fixture
def key(db: None) -> str:
    return keys.make(actor=None)


@pytest.fixture
def pbx(key: str, user: PbxUser, account: None) -> Browser:
    """Posts with the right key; Anna has the extension 21."""
    PbxUser.objects.filter(pk=user.pk).update(number="21")
    return Browser(headers={"Authorization": f"Bearer {key}"})
