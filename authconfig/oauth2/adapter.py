"""What comes back from the OpenID provider, checked more strictly than by allauth.

The checks of tokens and claims are those of OpenID Connect Core 1.0, 3.1.3.7.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from enum import StrEnum
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import jwt
import requests
from allauth.socialaccount.models import (
    SocialAccount,
    SocialApp,
    SocialLogin,
    SocialToken,
)
from allauth.socialaccount.providers.oauth2.client import OAuth2Client
from allauth.socialaccount.providers.openid_connect.views import (
    OpenIDConnectOAuth2Adapter,
)
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

from authconfig.models import AuthenticationSettings
from authconfig.network import readable
from authconfig.oauth2 import discovery
from authconfig.oauth2.discovery import (
    ALGORITHMS,
    Document,
    LimitedSession,
    json_object,
)
from authconfig.oauth2.faults import ProviderError, ProviderFault

CALLBACK = "oauth2_callback"
# Three parts are signed, five are encrypted (RFC 7516, 9).
JOSE = re.compile(rb"[\w-]+(?:\.[\w-]*){2}(?:(?:\.[\w-]*){2})?")
DOTS_OF_ENCRYPTED = 4
REQUIRED = ["iss", "sub", "aud", "exp", "iat"]
LEEWAY_SECONDS = 60
LONGEST_SUBJECT = 255
Claims = dict[str, Any]
# allauth's names for the kind of provider, and for why a user was sent to it: it keeps
# the two states apart.
PROVIDER_ID = "oauth2_login"
LOGIN, TRIAL = "oauth2", "oauth2-test"
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
        keyed = salted_hmac("oauth2-client-way", json.dumps(facts), algorithm="sha256")
        return f"openid-provider:way:{keyed.hexdigest()}"

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


def nonce_of(code_verifier: str) -> str:
    """The nonce follows from PKCE's secret, so it needs no place of its own."""
    return hashlib.sha256(f"nonce:{code_verifier}".encode()).hexdigest()


def redirect_uri() -> str:
    """The site's own address counts, never the Host header."""
    return f"{settings.SITE_URL}{reverse(CALLBACK)}"


def claims_of(id_token: str, config: Document, client_id: str, nonce: str) -> Claims:
    claims = decoded(id_token, config, client_id, REQUIRED)
    _check_party(claims, client_id)
    if not constant_time_compare(str(claims.get("nonce", "")), nonce):
        raise ProviderError(ProviderFault.BAD_ID_TOKEN, "nonce")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise ProviderError(ProviderFault.BAD_ID_TOKEN, "sub")
    return claims


def decoded(
    token: str, config: Document, client_id: str, required: Sequence[str]
) -> Claims:
    """Check signature, issuer, audience and times; raise ProviderError."""
    try:
        _check_algorithm(token)
        claims: Claims = jwt.decode(
            token,
            # A key that names no algorithm allows every one of its type.
            discovery.key_for(token, config["jwks_uri"]).key,
            algorithms=ALGORITHMS,
            issuer=config["issuer"],
            audience=client_id,
            leeway=LEEWAY_SECONDS,
            options={"require": list(required)},
        )
    except jwt.PyJWTError as error:
        words = f"{type(error).__name__}: {error}"
        raise ProviderError(ProviderFault.BAD_ID_TOKEN, words[:200]) from error
    return claims


def _check_algorithm(id_token: str) -> None:
    if id_token.count(".") == DOTS_OF_ENCRYPTED:
        raise ProviderError(ProviderFault.ENCRYPTED, "ID token")
    algorithm = jwt.get_unverified_header(id_token).get("alg")
    if algorithm not in ALGORITHMS:
        raise ProviderError(ProviderFault.ALGORITHM, readable(str(algorithm)[:40]))


def _check_party(claims: Claims, client_id: str) -> None:
    """A token for several audiences must have been made for us."""
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    party = claims.get("azp", None if several else client_id)
    if party != client_id:
        raise ProviderError(ProviderFault.BAD_ID_TOKEN, "azp")


def user_info(config: Document, access_token: str, subject: str) -> Claims:
    endpoint = config.get("userinfo_endpoint")
    if not endpoint:
        return {}
    answer = discovery.answer_at(endpoint, Authorization=f"Bearer {access_token}")
    if JOSE.fullmatch(answer.content.strip()):
        is_encrypted = answer.content.count(b".") == DOTS_OF_ENCRYPTED
        fault = ProviderFault.ENCRYPTED if is_encrypted else ProviderFault.SIGNED
        raise ProviderError(fault, "UserInfo")
    found = discovery.object_in(answer, endpoint)
    if found.get("sub") != subject:
        raise ProviderError(ProviderFault.OTHER_SUBJECT)
    return found


class OAuth2LoginAdapter(OpenIDConnectOAuth2Adapter):
    client_class = OAuth2LoginClient

    @cached_property
    def openid_config(self) -> Document:
        app = self.get_provider().app
        return discovery.configuration(app.settings["server_url"])

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return redirect_uri()

    def get_access_token_data(
        self,
        request: HttpRequest,
        app: SocialApp,
        client: OAuth2LoginClient,
        pkce_code_verifier: str = "",
    ) -> dict[str, Any]:
        self._check_answering_issuer(request)
        self._nonce = nonce_of(pkce_code_verifier)
        client.offered = _ways_offered(self.openid_config)
        found: dict[str, Any] = super().get_access_token_data(
            request, app, client, pkce_code_verifier
        )
        return found

    def _check_answering_issuer(self, request: HttpRequest) -> None:
        """RFC 9207: an answer may name its issuer, and must where that is announced."""
        said = request.GET.get("iss")
        parameter = "authorization_response_iss_parameter_supported"
        promised = self.openid_config.get(parameter) is True
        if (said or promised) and said != self.openid_config["issuer"]:
            raise ProviderError(ProviderFault.OTHER_ISSUER, str(said)[:200])

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any
    ) -> SocialLogin:
        id_token = kwargs["response"].get("id_token")
        if not isinstance(id_token, str):
            raise ProviderError(ProviderFault.NO_ID_TOKEN)
        config = self.openid_config
        claims = claims_of(id_token, config, app.client_id, self._nonce)
        told = user_info(config, token.token, claims["sub"])
        # allauth's own way would make a new user from the claims.
        account = SocialAccount(
            provider=self.provider_id,
            uid=claims["sub"],
            extra_data={"id_token": claims, "userinfo": told},
        )
        return SocialLogin(account=account, provider=self.get_provider())

    def parse_token(self, data: dict[str, Any]) -> SocialToken:
        # The second field holds what the provider may be asked with later.
        again = data.get("refresh_token")
        again = again if isinstance(again, str) else ""
        return SocialToken(token=str(data["access_token"]), token_secret=again)


def token_client(rules: AuthenticationSettings) -> OAuth2LoginClient:
    """Return a client that asks without a browser; raise ProviderError."""
    config = discovery.configuration(rules.oauth2_well_known_url)
    client = OAuth2LoginClient(
        None,
        rules.oauth2_client_id,
        rules.oauth2_client_secret,
        "POST",
        config["token_endpoint"],
        redirect_uri(),
    )
    client.offered = _ways_offered(config)
    return client


def _ways_offered(config: Document) -> list[str] | None:
    listed = config.get("token_endpoint_auth_methods_supported")
    return listed if isinstance(listed, list) else None


def app_of(rules: AuthenticationSettings, provider_id: str = LOGIN) -> SocialApp:
    """Return the rules in the form that allauth wants; the row is never saved."""
    return SocialApp(
        provider=PROVIDER_ID,
        provider_id=provider_id,
        name=rules.oauth2_provider_name,
        client_id=rules.oauth2_client_id,
        secret=rules.oauth2_client_secret,
        settings={
            "server_url": rules.oauth2_well_known_url,
            "scope": rules.oauth2_scope.split(),
            "auth_params": dict(parse_qsl(rules.oauth2_authorize_query)),
        },
    )
