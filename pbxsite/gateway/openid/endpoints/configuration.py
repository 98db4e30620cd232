"""What the provider says of itself: its configuration and its keys."""

from __future__ import annotations

from allauth.idp.oidc import app_settings
from allauth.idp.oidc import views as allauth
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from pbxsite.gateway.openid.clients import SCOPES
from pbxsite.gateway.openid.endpoints.cors import for_every_origin
from pbxsite.gateway.openid.forms import PROMPTS

CLAIMS = (
    "sub iss aud exp iat sid auth_time amr nonce"
    " name preferred_username upn number email groups"
)
WITH_A_SECRET = [method for method in app_settings.AUTH_METHODS if method != "none"]
# OpenID Connect Discovery 1.0: what the provider can do, and what it cannot.
CAPABILITIES = {
    "scopes_supported": SCOPES,
    "response_types_supported": ["code"],
    "response_modes_supported": ["query"],
    "grant_types_supported": ["authorization_code", "refresh_token"],
    "subject_types_supported": ["public"],
    "id_token_signing_alg_values_supported": ["RS256"],
    "code_challenge_methods_supported": ["S256"],
    "prompt_values_supported": sorted(PROMPTS),
    "claims_supported": CLAIMS.split(),
    "backchannel_logout_supported": True,
    "backchannel_logout_session_supported": True,
    "authorization_response_iss_parameter_supported": True,
    "claims_parameter_supported": False,
    "request_parameter_supported": False,
    "request_uri_parameter_supported": False,
}


@login_not_required
@for_every_origin
@require_safe
def configuration(request: HttpRequest) -> JsonResponse:
    facts = {
        "issuer": settings.SITE_URL,
        "authorization_endpoint": _address("authorize"),
        "token_endpoint": _address("token"),
        "userinfo_endpoint": _address("userinfo"),
        "revocation_endpoint": _address("revoke"),
        "introspection_endpoint": _address("introspect"),
        "end_session_endpoint": _address("end_session"),
        "jwks_uri": _address("jwks"),
        "token_endpoint_auth_methods_supported": app_settings.AUTH_METHODS,
        "revocation_endpoint_auth_methods_supported": app_settings.AUTH_METHODS,
        "introspection_endpoint_auth_methods_supported": WITH_A_SECRET,
        "ui_locales_supported": [code for code, _name in settings.LANGUAGES],
    }
    return JsonResponse(facts | CAPABILITIES)


def _address(name: str) -> str:
    return f"{settings.SITE_URL}{reverse(f'openid:{name}')}"


@login_not_required
@for_every_origin
@require_safe
def jwks(request: HttpRequest) -> HttpResponse:
    response: HttpResponse = allauth.jwks(request)
    return response
