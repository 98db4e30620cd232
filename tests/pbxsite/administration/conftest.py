from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import SettingsSetter
from tests.support.webhooks import Receiver, webhook_receiver
from verification.mail.operation import heartbeat

ADDRESSES = ["ops@example.com", "night@example.com"]


@pytest.fixture
def receiver(configure: SettingsSetter) -> Iterator[Receiver]:
    """A receiver that is entered, and alone."""
    with webhook_receiver() as running:
        configure(**running.settings)
        yield running


@pytest.fixture
def told(configure: SettingsSetter) -> list[str]:
    """The addresses that alarms go to, with an account that they leave by."""
    configure(
        smtp_server="127.0.0.1",
        smtp_port=1,
        smtp_security="none",
        smtp_connections=1,
        smtp_email_address="pbx@example.com",
        alarm_recipients=", ".join(ADDRESSES),
    )
    return ADDRESSES


@pytest.fixture
def all_speak(db: None) -> None:
    heartbeat.beat()
    heartbeat.begin_worker("one@host", slots=4)
