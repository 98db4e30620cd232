"""A login that waits, and its mail; a client application of Anna's."""

from __future__ import annotations

import pytest
from django.test import Client as Browser

from authconfig.models import AuthenticationSettings
from tests.conftest import SettingsSetter, Starter
from tests.pbxsite.conftest import anna, party, pem, signing_key
from tests.support.smtp_servers import Mail, Server
from verification.mail import sending

__all__ = ["anna", "party", "pem", "signing_key"]  # fixtures


@pytest.fixture
def server(
    two_factor: AuthenticationSettings, configure: SettingsSetter, server: Server
) -> Server:
    configure(smtp_port=server.port)
    return server


@pytest.fixture
def sent(server: Server, start: Starter, browser: Browser) -> Mail:
    """Anna's login waits in `browser`, and its mail has come."""
    start(browser)
    sending.deliver_due()
    [mail] = server.mails
    return mail
