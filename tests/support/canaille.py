"""Canaille, a real OpenID provider that knows a client by one way of its secret."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

from tests.support.pip import install

HERE = Path(__file__).parent / "canaille"
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
CALLBACK = "/login/oauth2/callback/"


@dataclass(frozen=True)
class Canaille:
    issuer: str

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Return what the page would hold; its `sub` is the user's name."""
        return {
            "authentication_type": "pbx_and_oauth2",
            "oauth2_provider_name": "Canaille",
            "oauth2_well_known_url": f"{self.issuer}/.well-known/openid-configuration",
            "oauth2_client_id": "pbx",
            "oauth2_client_secret": "a-plain-secret",
            "oauth2_upn_claim": "sub",
        } | changes

    def log_in(self, address: str) -> str:
        """Go through its pages; return where it sends the browser back to."""
        entered = [{"login": "anna"}, {"password": "correct horse"}]
        with requests.Session() as browser:
            while CALLBACK not in address.partition("?")[0]:
                page = browser.get(address, allow_redirects=False, timeout=10)
                if not page.is_redirect:
                    token = TOKEN.search(page.text)
                    assert token, page.text
                    values = entered.pop(0) | {"csrf_token": token[1]}
                    page = browser.post(
                        address, values, allow_redirects=False, timeout=10
                    )
                address = urljoin(self.issuer, page.headers["Location"])
        return address


@contextmanager
def running_canaille() -> Iterator[Canaille]:
    python = install(HERE)
    process = subprocess.Popen(
        [python, "server.py"],
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    try:
        issuer = process.stdout.readline().strip()
        assert issuer.startswith("http"), "Canaille did not start"
        yield Canaille(issuer)
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
