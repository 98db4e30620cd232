"""A PBX with the right key, and a mail server that takes what it is given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.test import Client as Browser
from pytest_django import Settings

from authconfig.choices import SmtpSecurity
from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter
from tests.support.smtp_servers import LARGE, Server, smtp_server
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
        # Another thread would not see what a test has not committed.
        smtp_connections=1,
    )


@pytest.fixture
def key(db: None) -> str:
    return keys.make(actor=None)


@pytest.fixture
def pbx(key: str, user: PbxUser, account: None) -> Browser:
    """Posts with the right key; Anna has the extension 21."""
    PbxUser.objects.filter(pk=user.pk).update(number="21")
    return Browser(headers={"Authorization": f"Bearer {key}"})


@contextmanager
def sized_server(configure: SettingsSetter, most: int) -> Iterator[Server]:
    """Run a server that says how much it takes."""
    options: Any = {"credentials": None, "size_limit": most}
    with smtp_server(SmtpSecurity.NONE, **options) as running:
        configure(smtp_port=running.port)
        yield running


@pytest.fixture
def small_server(configure: SettingsSetter, account: None) -> Iterator[Server]:
    with sized_server(configure, LARGE) as running:
        yield running


@pytest.fixture
def large_server(configure: SettingsSetter, account: None) -> Iterator[Server]:
    with sized_server(configure, 30_000_000) as running:
        yield running
