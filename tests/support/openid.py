"""A client application that asks by OpenID Connect, played step by step."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from allauth.idp.oidc.models import Token
from django.db.models import QuerySet
from django.http import HttpResponse
from django.test import Client as Browser

from authconfig.clients.choices import AsksBy, Icon, Kind
from authconfig.clients.models import ClientApplication
from pbxsite.gateway.openid.clients import keep_in_step, new_secret
from pbxsite.gateway.openid.models import OpenIdClient

ISSUER = "https://pbx.example"
CALLBACK = "https://apps.example.com/callback"
AFTER_LOGOUT = "https://apps.example.com/bye"
VERIFIER = "a-verifier-of-43-characters-or-more-as-it-has-to-be"


def challenge(verifier: str = VERIFIER) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass
class Party:
    """The relying party; `secret` is None for a public client."""

    openid: OpenIdClient
    secret: str | None
    browser: Browser = field(default_factory=Browser)

    @property
    def client_id(self) -> str:
        return str(self.openid.client_id)

    def asked(self, **changes: str | None) -> str:
        """Return the address that the browser is sent to; None leaves a word out."""
        words = {
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid profile email",
            "state": "a state",
            "nonce": "a nonce",
            "code_challenge": challenge(),
            "code_challenge_method": "S256",
        } | changes
        query = {name: value for name, value in words.items() if value is not None}
        return f"/openid/authorize?{urlencode(query)}"

    def code(self, browser: Browser, **changes: str | None) -> str:
        return told(browser.get(self.asked(**changes)))["code"]

    def token(self, **changes: str | None) -> HttpResponse:
        """Ask the token endpoint, by default with this client's secret."""
        words = {
            "grant_type": "authorization_code",
            "redirect_uri": CALLBACK,
            "client_id": self.client_id,
            "client_secret": self.secret,
            "code_verifier": VERIFIER,
        } | changes
        sent = {name: value for name, value in words.items() if value is not None}
        return self.browser.post("/openid/token", sent)

    def tokens(self, browser: Browser, **changes: str | None) -> dict[str, Any]:
        answer = self.token(code=self.code(browser, **changes))
        assert answer.status_code == 200, answer.content
        found: dict[str, Any] = answer.json()
        return found

    def refresh(self, value: str, **changes: str | None) -> HttpResponse:
        words = {"redirect_uri": None, "code_verifier": None} | changes
        return self.token(grant_type="refresh_token", refresh_token=value, **words)

    def revoke(self, value: str) -> HttpResponse:
        words = {"token": value, "client_id": self.client_id}
        secret = {"client_secret": self.secret} if self.secret else {}
        return self.browser.post("/openid/revoke", words | secret)

    def introspect(self, value: str | None, **changes: str) -> HttpResponse:
        words = {"token": value, "client_id": self.client_id}
        words |= {"client_secret": self.secret} | changes
        sent = {name: word for name, word in words.items() if word is not None}
        return self.browser.post("/openid/introspect", sent)

    def userinfo(self, value: str) -> HttpResponse:
        return self.browser.get("/openid/userinfo", headers=bearer(value))

    def claims(self, tokens: dict[str, Any]) -> dict[str, Any]:
        """Return what the ID token says, once its signature is checked."""
        keys = jwt.PyJWKSet.from_dict(self.browser.get("/openid/keys").json())
        kid = jwt.get_unverified_header(tokens["id_token"])["kid"]
        claims: dict[str, Any] = jwt.decode(
            tokens["id_token"],
            keys[kid],
            algorithms=["RS256"],
            audience=self.client_id,
            issuer=self.browser.get("/.well-known/openid-configuration").json()[
                "issuer"
            ],
        )
        return claims


def handed_out() -> QuerySet[Token]:
    """Return the tokens that clients got; some versions of allauth keep codes there."""
    return Token.objects.exclude(type=Token.Type.AUTHORIZATION_CODE)


def bearer(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


def basic(client_id: str, secret: str) -> dict[str, str]:
    pair = base64.b64encode(f"{client_id}:{secret}".encode())
    return {"Authorization": f"Basic {pair.decode()}"}


def told(response: HttpResponse) -> dict[str, str]:
    """Return what the client was told in the address that the browser is sent to."""
    assert response.status_code == 302, response.content.decode()
    assert response["Location"].startswith(CALLBACK), response["Location"]
    return dict(parse_qsl(urlsplit(response["Location"]).query))


def make_party(
    slug: str = "voicemail", *, kind: Kind = Kind.MYAPPS, **facts: Any
) -> Party:
    """Add a client application; `facts` are of either model."""
    known = {field.name for field in OpenIdClient._meta.get_fields()}
    own = {name: facts.pop(name) for name in known & facts.keys()}
    addresses = {"redirect_uris": CALLBACK, "logout_uris": AFTER_LOGOUT}
    application = ClientApplication.objects.create(
        name=slug.capitalize(),
        slug=slug,
        kind=kind,
        icon=Icon.VOICEMAIL,
        asks_by=AsksBy.OPENID,
        **{"is_own": True} | facts,
    )
    openid = OpenIdClient(application=application, **addresses | own)
    keep_in_step(openid)
    return Party(openid, None if openid.is_public else new_secret(openid))
