"""allauth's OpenID Connect provider, with the rules as settings: the way to it."""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.oauth2.utils import generate_code_challenge
from allauth.socialaccount.providers.openid_connect.provider import (
    OpenIDConnectProvider,
)
from django.conf import settings
from django.http import HttpRequest

from authconfig.clients.session_kinds import is_myapps
from authconfig.oauth2.adapter import PROVIDER_ID, OAuth2LoginAdapter, nonce_of

# Core 1.0, 3.1.2.1: max_age makes the ID token say when the user logged in.
ASKED_AGAIN = {
    "prompt": "login",
    "max_age": str(int(settings.REAUTHENTICATION_TTL.total_seconds())),
}


class OAuth2LoginProvider(OpenIDConnectProvider):
    id = PROVIDER_ID
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


provider_classes = [OAuth2LoginProvider]
