"""A site that sends, with and without two-factor authentication."""

from __future__ import annotations

import pytest

from authconfig.models import AuthenticationSettings
from tests.conftest import LINK, SettingsSetter
from tests.support.smtp_servers import Server


@pytest.fixture
def server(
    two_factor: AuthenticationSettings, configure: SettingsSetter, server: Server
) -> Server:
    """The mail server of a site without two-factor authentication."""
    configure(smtp_port=server.port, two_factor=False)
    return server


@pytest.fixture
def strict(server: Server, configure: SettingsSetter) -> Server:
    """The mail server of a site with two-factor authentication."""
    configure(two_factor=True, verification_link=LINK)
    return server
