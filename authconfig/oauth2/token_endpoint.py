"""What this site asks the provider's token endpoint, and how it shows its secret."""

from __future__ import annotations

import json
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import requests
from allauth.socialaccount.providers.oauth2.client import OAuth2Client
from django.core.cache import cache
from django.utils.crypto import salted_hmac

from authconfig.network import readable
from authconfig.oauth2.discovery import LimitedSession, json_object
from authconfig.oauth2.faults import ProviderError, ProviderFault

# RFC 6749, 5.2 has the first; some say the second instead.
CLIENT_REFUSED = ("invalid_client", "unauthorized_client")
# RFC 6749, 5.2: the refresh token is no longer good for anything.
REFRESH, OVER = "refresh_token", "invalid_grant"


class ClientWay(StrEnum):
    """How this site shows its secret at the token endpoint."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"
    # Some servers do not decode what RFC 6749, 2.3.1 has clients encode.
    BASIC_RAW = "client_secret_basic (not encoded)"
    UNAUTHENTICATED = "none"


class OAuth2LoginClient(OAuth2Client):
    consumer_key: str
    consumer_secret: str
    # What the provider's configuration lists, if it lists anything.
    offered: list[str] | None = None

    def get_redirect_url(
        self, authorization_url: str, scope: list[str], extra_params: dict[str, str]
    ) -> str:
        """allauth's own would break an address that already has a query."""
        own = {
            "client_id": self.consumer_key,
            "redirect_uri": self.callback_url,
            "scope": " ".join(scope),
            "response_type": "code",
            "state": self.state,
        }
        parts = urlsplit(authorization_url)
        # The administrator's additional query must not replace ours.
        query = dict(parse_qsl(parts.query)) | extra_params | own
        return parts._replace(query=urlencode(query)).geturl()

    def get_access_token(
        self, code: str, pkce_code_verifier: str = "", extra_data: None = None
    ) -> dict[str, Any]:
        return self.exchange(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self.callback_url,
                "code_verifier": pkce_code_verifier,
            }
        )

    def refresh(self, refresh_token: str) -> dict[str, Any]:
        """Raise ProviderError: GRANT_OVER if the provider takes the token no more."""
        return self.exchange({"grant_type": REFRESH, "refresh_token": refresh_token})

    def exchange(self, form: dict[str, str]) -> dict[str, Any]:
        """Show the secret in one way after another, until the client is known."""
        ways, kept_as = self._ways(), self._kept_as()
        refused: dict[str, list[str]] = {}
        remembered = cache.get(kept_as, ways[0])
        # The one that worked comes first; the others stay in their order.
        for way in sorted(ways, key=lambda way: way != remembered):
            answer = self._ask(form, way)
            if not _is_client_refused(answer):
                if way != remembered:
                    cache.set(kept_as, way.value, None)
                return _tokens(answer, form["grant_type"])
            refused.setdefault(_said(answer), []).append(way)
        words = (f"{', '.join(tried)}: {said}" for said, tried in refused.items())
        raise ProviderError(ProviderFault.CODE_REFUSED, "; ".join(words))

    def _ways(self) -> list[ClientWay]:
        """Discovery 1.0, 3: a missing list means client_secret_basic."""
        if not self.consumer_secret:
            return [ClientWay.UNAUTHENTICATED]
        listed = self.offered or []
        usual = (ClientWay.BASIC, ClientWay.POST)
        ways = [way for way in usual if way in listed] or [ClientWay.BASIC]
        words = self.consumer_key + self.consumer_secret
        if ClientWay.BASIC in ways and quote(words, safe="") != words:
            ways.append(ClientWay.BASIC_RAW)
        return ways

    def _kept_as(self) -> str:
        """Return the cache's key, another one once address, ID or secret change."""
        facts = (self.access_token_url, self.consumer_key, self.consumer_secret)
        digest = salted_hmac("oauth2-client-way", json.dumps(facts)).hexdigest()
        return f"openid-provider:way:{digest}"

    def _ask(self, form: dict[str, str], way: ClientWay) -> requests.Response:
        client_id, secret, auth = self.consumer_key, self.consumer_secret, None
        if way is ClientWay.BASIC:
            # A space is %20, which those read too who know no form's "+".
            auth = (quote(client_id, safe=""), quote(secret, safe=""))
        elif way is ClientWay.BASIC_RAW:
            # The library sends it as latin-1.
            auth = (_as_latin(client_id), _as_latin(secret))
        else:
            shown = {"client_secret": secret} if way is ClientWay.POST else {}
            form = form | {"client_id": client_id} | shown
        with LimitedSession() as session:
            return session.post(self.access_token_url, data=form, auth=auth)


def _as_latin(word: str) -> str:
    return word.encode().decode("latin-1")


def _is_client_refused(answer: requests.Response) -> bool:
    found = json_object(answer.content) or {}
    is_unauthorized = answer.status_code == HTTPStatus.UNAUTHORIZED
    return is_unauthorized or found.get("error") in CLIENT_REFUSED


def _tokens(answer: requests.Response, grant_type: str) -> dict[str, Any]:
    found = json_object(answer.content) or {}
    if answer.ok and "access_token" in found:
        return found
    raise ProviderError(_fault(answer, grant_type), _said(answer))


def _fault(answer: requests.Response, grant_type: str) -> ProviderFault:
    """Tell a login that is over from a provider that has a fault of its own."""
    if grant_type != REFRESH:
        return ProviderFault.CODE_REFUSED
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ProviderFault.SERVER_ERROR
    said = (json_object(answer.content) or {}).get("error")
    return ProviderFault.GRANT_OVER if said == OVER else ProviderFault.CODE_REFUSED


def _said(answer: requests.Response) -> str:
    """Return the words of an OAuth error (RFC 6749, 5.2), and no part of a token."""
    found = json_object(answer.content) or {}
    words = (found.get(name) for name in ("error", "error_description"))
    said = ": ".join(word[:200] for word in words if isinstance(word, str) and word)
    return readable(said) or f"status {answer.status_code}"
