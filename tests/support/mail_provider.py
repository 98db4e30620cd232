"""A real OAuth2 server of mailboxes (provider/mail.js), for each grant."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt.algorithms import RSAAlgorithm

from authconfig.choices import OAuth2Grant
from pbxsite.administration.authentication.smtp_login.visit import redirect_uri
from tests.support.npm import install
from tests.support.provider import HERE, Provider
from verification.mail.oauth2.configuration import ClientShows, Configuration

MAILBOX = "pbx@example.com"
SECRET = "the mail client's secret: 1 + 1 = 2, & so on"
OWNER_PASSWORD = "the owner's password"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
KEY_ID = "key-1"
SERVICE_ACCOUNT = "pbx@project.iam.gserviceaccount.com"
SERVER = ("mail-server", "letters-and-digits-4711")
GRANTS = ["authorization_code", "refresh_token", "client_credentials", "password"]


@cache
def private_key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def private_pem() -> str:
    pem = private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


def _public_pem() -> str:
    public = private_key().public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _clients(address: str) -> list[dict[str, Any]]:
    common: dict[str, Any] = {
        "redirect_uris": [address],
        "grant_types": [*GRANTS, JWT_BEARER],
        "response_types": ["code"],
    }
    public = RSAAlgorithm.to_jwk(private_key().public_key(), as_dict=True)
    keys = {"keys": [public | {"kid": KEY_ID, "use": "sig"}]}
    client_id, secret = SERVER
    return [
        common
        | {
            "client_id": "mail-post",
            "client_secret": SECRET,
            "token_endpoint_auth_method": "client_secret_post",
        },
        common
        | {
            "client_id": "mail-basic",
            "client_secret": SECRET,
            "token_endpoint_auth_method": "client_secret_basic",
        },
        common
        | {
            "client_id": "mail-key",
            "jwks": keys,
            "token_endpoint_auth_method": "private_key_jwt",
        },
        common | {"client_id": "mail-public", "token_endpoint_auth_method": "none"},
        common
        | {
            "client_id": SERVICE_ACCOUNT,
            "grant_types": [JWT_BEARER],
            "redirect_uris": [],
            "response_types": [],
            "token_endpoint_auth_method": "none",
        },
        {
            "client_id": client_id,
            "client_secret": secret,
            "redirect_uris": [],
            "response_types": [],
            "grant_types": ["client_credentials"],
            "token_endpoint_auth_method": "client_secret_basic",
        },
    ]


@dataclass(frozen=True)
class MailProvider(Provider):
    @property
    def token_url(self) -> str:
        return f"{self.issuer}/token"

    @property
    def introspection_url(self) -> str:
        return self.issuer.replace("//", f"//{SERVER[0]}:{SERVER[1]}@") + (
            "/token/introspection"
        )

    def configuration(
        self,
        grant: OAuth2Grant = OAuth2Grant.CLIENT_CREDENTIALS,
        shows: ClientShows = ClientShows.POST,
        **changes: Any,
    ) -> Configuration:
        """Return what the page would hold for the grant and the client."""
        names = {
            ClientShows.POST: "mail-post",
            ClientShows.BASIC: "mail-basic",
            ClientShows.KEY: "mail-key",
            ClientShows.NOTHING: "mail-public",
        }
        by_secret = shows in (ClientShows.POST, ClientShows.BASIC)
        values: dict[str, Any] = {
            "grant": grant,
            "client_shows": shows,
            "token_url": self.token_url,
            "authorize_url": f"{self.issuer}/auth",
            "client_id": names[shows],
            "client_secret": SECRET if by_secret else "",
            "scope": "smtp",
            "username": MAILBOX,
            "resource_owner": MAILBOX,
            "resource_owner_password": OWNER_PASSWORD,
            "private_key": private_pem(),
            "key_id": KEY_ID,
        }
        return Configuration(**(values | changes))

    def introspect(self, token: str) -> dict[str, Any]:
        url = f"{self.issuer}/token/introspection"
        answer = requests.post(url, {"token": token}, auth=SERVER, timeout=10)
        found: dict[str, Any] = answer.json()
        return found

    def revoke(self, configuration: Configuration, token: str) -> None:
        """Withdraw what the token is of, as its owner would on the provider's page."""
        form = {
            "token": token,
            "client_id": configuration.client_id,
            "client_secret": configuration.client_secret,
        }
        url = f"{self.issuer}/token/revocation"
        requests.post(url, form, timeout=10).raise_for_status()


@contextmanager
def running_mail_provider(
    seconds: int = 3600, port: int = 0, address: str = ""
) -> Iterator[MailProvider]:
    """Run it; its access tokens live for so many seconds.

    `address` is the redirect URI of another site than the one of this process.
    """
    install(HERE)
    clients = _clients(address or redirect_uri())
    told = {
        "clients": clients,
        "mailboxes": {each["client_id"]: MAILBOX for each in clients[:-1]},
        "seconds": seconds,
        "publicKey": _public_pem(),
    }
    environment = os.environ | {
        "MAIL_PROVIDER": json.dumps(told),
        "PROVIDER_PORT": str(port),
    }
    process = subprocess.Popen(
        ["node", "mail.js"],
        cwd=HERE,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    try:
        issuer = process.stdout.readline().strip()
        assert issuer.startswith("http"), "the provider of mailboxes did not start"
        yield MailProvider(issuer)
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
