"""allauth's OpenID Connect provider, with the rules as settings and stricter checks.

The checks of tokens and claims are those of OpenID Connect Core 1.0, 3.1.3.7.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

import jwt
from allauth.socialaccount.models import (
    SocialAccount,
    SocialApp,
    SocialLogin,
    SocialToken,
)
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.oauth2.utils import generate_code_challenge
from allauth.socialaccount.providers.openid_connect.provider import (
    OpenIDConnectProvider,
)
from allauth.socialaccount.providers.openid_connect.views import (
    OpenIDConnectOAuth2Adapter,
)
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.crypto import constant_time_compare

from authconfig.clients.session_kinds import is_myapps
from authconfig.models import AuthenticationSettings
from authconfig.network import readable
from authconfig.oauth2 import discovery
from authconfig.oauth2.discovery import (
    ALGORITHMS,
    Document,
    signing_keys,
)
from authconfig.oauth2.faults import ProviderError, ProviderFault
from authconfig.oauth2.token_endpoint import OAuth2LoginClient

CALLBACK = "oauth2_callback"
# Three parts are signed, five are encrypted (RFC 7516, 9).
JOSE = re.compile(rb"[\w-]+(?:\.[\w-]*){2}(?:(?:\.[\w-]*){2})?")
DOTS_OF_ENCRYPTED = 4
# Core 1.0, 3.1.2.1: max_age makes the ID token say when the user logged in.
ASKED_AGAIN = {
    "prompt": "login",
    "max_age": str(int(settings.REAUTHENTICATION_TTL.total_seconds())),
}
REQUIRED = ["iss", "sub", "aud", "exp", "iat"]
LEEWAY_SECONDS = 60
LONGEST_SUBJECT = 255
Claims = dict[str, Any]
# Why a user was sent to the provider; allauth keeps the two states apart.
LOGIN, TRIAL = "oauth2", "oauth2-test"


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
            _key_for(token, config["jwks_uri"]).key,
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


def _key_for(id_token: str, jwks_uri: str) -> jwt.PyJWK:
    kid = jwt.get_unverified_header(id_token).get("kid")
    for keys in (discovery.key_set, discovery.newer_key_set):
        if key := _pick(keys(jwks_uri), kid):
            return key
    raise ProviderError(
        ProviderFault.BAD_ID_TOKEN, "its key is not one of the provider's"
    )


def _pick(found: Document, kid: str | None) -> jwt.PyJWK | None:
    signing = signing_keys(found)
    if kid is None:
        return signing[0] if len(signing) == 1 else None
    return next((key for key in signing if key.key_id == kid), None)


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


class OAuth2LoginProvider(OpenIDConnectProvider):
    id = "oauth2_login"
    oauth2_adapter_class = OAuth2LoginAdapter
    pkce_enabled_default = True

    def get_pkce_params(self) -> dict[str, str]:
        params: dict[str, Any] = generate_code_challenge()
        return params | {
            "code_challenge": params["code_challenge"].decode(),
            "nonce": nonce_of(params["code_verifier"]),
        }

    def get_redirect_from_request_kwargs(self, request: HttpRequest) -> dict[str, Any]:
        """Of the visitor's query, pass on only where to go afterwards."""
        # Whoever sits at an open session must log in at the provider again, even if
        # the provider has a session of its own.
        asked_again = ASKED_AGAIN if is_myapps(request) else {}
        params = self.get_auth_params() | asked_again
        kwargs = {"process": "login", "auth_params": params}
        asked: dict[str, Any] = super().get_redirect_from_request_kwargs(request)
        return kwargs | {"next_url": asked.get("next_url"), "scope": self.get_scope()}


def address_to_ask(request: HttpRequest, provider_id: str, wanted: str = "") -> str:
    """Return the provider's address; the login leads to `wanted`, if it is given."""
    provider = OAuth2LoginAdapter(request, provider_id).get_provider()
    if wanted:
        redirect = provider.redirect(request, AuthProcess.LOGIN, next_url=wanted)
    else:
        redirect = provider.redirect_from_request(request)
    address: str = redirect.url
    return address


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
        provider=OAuth2LoginProvider.id,
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


provider_classes = [OAuth2LoginProvider]
