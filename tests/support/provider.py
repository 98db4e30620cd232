"""A real OpenID provider on this machine: the certified oidc-provider, on Node."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import requests

from tests.support.npm import install

HERE = Path(__file__).parent / "provider"
CLIENT_ID = "pbx"
CLIENT_SECRET = "the provider's secret for this client"
# The subject of each account, and what the provider tells of it.
ACCOUNTS: dict[str, dict[str, Any]] = {
    "1": {"upn": "anna@example.com", "name": "Anna Berg"},
    "2": {"upn": "admin@example.com", "email": "admin@example.com"},
    # Another account that has come by Anna's name.
    "3": {"upn": "anna@example.com"},
    "4": {"upn": "bert", "email": "anna@example.com", "email_verified": False},
    "5": {"upn": "carl", "email": "carl@example.com", "email_verified": True},
    "6": {"name": "Nobody in particular"},
    "7": {"upn": "stranger@example.com"},
}


@dataclass(frozen=True)
class Provider:
    issuer: str

    @property
    def well_known_url(self) -> str:
        return f"{self.issuer}/.well-known/openid-configuration"

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Return what the page would hold."""
        return {
            "oauth2_provider_name": "Windows",
            "oauth2_well_known_url": self.well_known_url,
            "oauth2_client_id": CLIENT_ID,
            "oauth2_client_secret": CLIENT_SECRET,
            "oauth2_domain": "example.com",
        } | changes

    def log_in(
        self, authorize_url: str, account: str, browser: requests.Session | None = None
    ) -> str:
        """Go through the provider's pages as a browser would.

        Return the address that it sends the browser back to.
        """
        with browser or requests.Session() as browser:
            page = browser.get(authorize_url, allow_redirects=False, timeout=10)
            while "interaction" in page.headers.get("Location", ""):
                page = self._fill_in(browser, page.headers["Location"], account)
            address: str = page.headers["Location"]
            return address

    def log_out(self, browser: requests.Session) -> None:
        """End the browser's session at the provider."""
        page = browser.get(f"{self.issuer}/session/end?client_id=pbx", timeout=10)
        found = re.search(r'name="xsrf" value="([^"]+)"', page.text)
        assert found, page.text
        address = f"{self.issuer}/session/end/confirm"
        values = {"xsrf": found[1], "logout": "yes"}
        answer = browser.post(address, values, allow_redirects=False, timeout=10)
        assert answer.status_code in (302, 303), answer.text

    def lock_out(self, refresh_token: str) -> None:
        """As an administrator there does who locks the account."""
        answer = requests.post(
            f"{self.issuer}/token/revocation",
            {"token": refresh_token, "token_type_hint": "refresh_token"},
            auth=(CLIENT_ID, quote(CLIENT_SECRET, safe="")),
            timeout=10,
        )
        assert answer.ok, answer.text

    def _fill_in(
        self, browser: requests.Session, location: str, account: str
    ) -> requests.Response:
        form = browser.get(urljoin(self.issuer, location), timeout=10)
        found = re.search(r'action="([^"]+)"', form.text)
        assert found, form.text
        prompt = re.search(r'name="prompt" value="(\w+)"', form.text)
        values = {"prompt": prompt[1] if prompt else "login"}
        values |= {"login": account, "password": "any"}
        sent = browser.post(found[1], values, allow_redirects=False, timeout=10)
        return browser.get(sent.headers["Location"], allow_redirects=False, timeout=10)


@contextmanager
def running_provider(
    port: int = 0, *, tells: str = "", **changes: Any
) -> Iterator[Provider]:
    """Run it; it `tells` this address of log-outs. `changes` are of its settings."""
    install(HERE)
    environment = os.environ | {
        "PROVIDER_USERS": json.dumps(ACCOUNTS),
        "PROVIDER_PORT": str(port),
        "PROVIDER_CHANGES": json.dumps(changes),
        "PROVIDER_TELLS": tells,
    }
    process = subprocess.Popen(
        ["node", "server.js"],
        cwd=HERE,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    try:
        issuer = process.stdout.readline().strip()
        assert issuer.startswith("http"), "the provider did not start"
        yield Provider(issuer)
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
