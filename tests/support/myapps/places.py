"""A real web server on the tests' database, which reads changed rules in its time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import count

from authconfig.models import AuthenticationSettings
from tests.conftest import LINK, SettingsSetter
from tests.support.myapps.client import Client

NUMBERS = count()
# Logins have to be approved, and no mail server answers.
HELD = {
    "two_factor": True,
    "verification_link": LINK,
    "smtp_server": "127.0.0.1",
    "smtp_port": 1,
    "smtp_security": "none",
    "smtp_email_address": "pbx@example.com",
}


@dataclass(frozen=True)
class Place:
    """`url` of the server, and the settings that tests change."""

    url: str
    configure: SettingsSetter

    def rules(self, **values: object) -> AuthenticationSettings:
        """Change the rules and wait until the server has read them.

        A domain of its own shows it: the server names it to whoever wants to log in.
        """
        domain = f"pbx{next(NUMBERS)}.example"
        rules = self.configure(pbx_domain=domain, **values)
        deadline = time.monotonic() + 10
        while self._domain() != domain:
            assert time.monotonic() < deadline, "the server never read the rules"
            time.sleep(0.05)
        return rules

    def _domain(self) -> str:
        with Client(self.url) as client:
            domain: str = client.begin("session").authenticate["domain"]
            return domain
