"""An OpenID provider that says what a test tells it to: no certified one would."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    generate_private_key,
)
from jwt.algorithms import RSAAlgorithm

from tests.support.scripted_http import ScriptedHandler, answering

CALLBACK = "http://127.0.0.1:8000/login/oauth2/callback/"
JSON = "application/json"
KEYS = [generate_private_key(65537, 2048) for _ in range(3)]


def key_id(key: RSAPrivateKey) -> str:
    return f"key-{KEYS.index(key)}"


@dataclass
class Scripted:
    """What it answers; a test changes that before or between two steps."""

    issuer: str = ""
    # Over what is right; None takes a claim away.
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: Any = None
    configuration: dict[str, Any] = field(default_factory=dict)
    signs_with: RSAPrivateKey = KEYS[0]
    publishes: list[RSAPrivateKey] = field(default_factory=lambda: [KEYS[0]])
    # Answers in place of the right ones: (status, body) by path.
    instead: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    # Seconds before the answer, or between its first bytes, by path.
    delays: dict[str, float] = field(default_factory=dict)
    dripping: set[str] = field(default_factory=set)
    id_token: str | None = None
    token_words: dict[str, Any] = field(default_factory=dict)
    # Of the callback's address.
    callback: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    credentials: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    # Which clients it knows, by Authorization and form.
    knows: Callable[[str, dict[str, str]], bool] = lambda _header, _form: True
    refusal: tuple[int, bytes] = (400, b'{"error": "invalid_client"}')
    # Each request's path and Authorization.
    authorizations: list[tuple[str, str]] = field(default_factory=list)
    nonce: str = ""
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def well_known_url(self) -> str:
        return f"{self.issuer}/.well-known/openid-configuration"

    def settings(self, **changes: Any) -> dict[str, Any]:
        return {
            "authentication_type": "pbx_and_oauth2",
            "oauth2_provider_name": "Windows",
            "oauth2_well_known_url": self.well_known_url,
            "oauth2_client_id": "pbx",
            "oauth2_client_secret": "a+secret %with: signs",
            "oauth2_domain": "example.com",
        } | changes

    def log_in(self, authorize_url: str) -> str:
        """Send the browser back at once, with a code."""
        query = parse_qs(urlsplit(authorize_url).query)
        self.nonce = query["nonce"][0]
        answer = {"code": "a-code", "state": query["state"][0]} | self.callback
        return f"{CALLBACK}?{urlencode(answer)}"

    def token(self, **words: Any) -> str:
        """Sign the claims as a provider does, or as `words` tell jwt.encode to."""
        now = int(time.time())
        right = {
            "iss": self.issuer,
            "sub": "1",
            "aud": "pbx",
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "upn": "anna@example.com",
        }
        claims = {k: v for k, v in (right | self.claims).items() if v is not None}
        usual: dict[str, Any] = {
            "key": self.signs_with,
            "algorithm": "RS256",
            "headers": {"kid": key_id(self.signs_with)},
        }
        return jwt.encode(claims, **(usual | words))

    def answer(self, path: str) -> Any:
        """Return what is right at the path, changed as the test said."""
        return {
            "/.well-known/openid-configuration": self._configuration,
            "/keys": self._keys,
            "/token": self._tokens,
            "/userinfo": lambda: (
                {"sub": self.claims.get("sub", "1")}
                if self.userinfo is None
                else self.userinfo
            ),
        }[path]()

    def _configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
        } | self.configuration

    def _keys(self) -> dict[str, Any]:
        found = [RSAAlgorithm.to_jwk(k.public_key(), as_dict=True) for k in KEYS]
        known = zip(KEYS, found, strict=True)
        return {
            "keys": [
                jwk | {"kid": key_id(key), "use": "sig"}
                for key, jwk in known
                if key in self.publishes
            ]
        }

    def _tokens(self) -> dict[str, Any]:
        id_token = self.token() if self.id_token is None else self.id_token
        whole = {"access_token": "an-access-token", "token_type": "Bearer"}
        return whole | {"id_token": id_token} | self.token_words


class _Handler(ScriptedHandler):
    script: Scripted

    def do_GET(self) -> None:
        path, script = self._path, self.script
        script.asked.append(path)
        authorization = self.headers.get("Authorization", "")
        script.authorizations.append((path, authorization))
        script.ended.wait(script.delays.get(path, 0))
        status, body = script.instead.get(path) or (
            200,
            json.dumps(script.answer(path)).encode(),
        )
        self.answer(status, JSON, body)

    def do_POST(self) -> None:
        sent = self.read_form()
        authorization = self.headers.get("Authorization", "")
        self.script.credentials.append((authorization, sent))
        if self.script.knows(authorization, sent):
            self.do_GET()
        else:
            status, body = self.script.refusal
            self.answer(status, JSON, body)

    @property
    def _path(self) -> str:
        return urlsplit(self.path).path

    def send_before_the_rest(self) -> None:
        if self._path in self.script.dripping:
            self.flush_headers()
            while not self.script.ended.wait(0.05):
                self.wfile.write(b"X-More: and more\r\n")
                self.wfile.flush()


@contextmanager
def scripted_provider() -> Iterator[Scripted]:
    script = Scripted()
    with answering(_Handler, script) as script.issuer:
        yield script
