"""Says whose a token is, to servers that users' programs show it to (RFC 7662).

allauth's own introspection knows neither sessions nor kinds, and stops a mail server
after thirty questions in a minute.
"""

from __future__ import annotations

from typing import Any

from allauth.idp.oidc.adapter import get_adapter
from allauth.idp.oidc.models import Token
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from pbxsite.gateway.openid import grants
from pbxsite.gateway.openid.clients import SCOPES, find
from pbxsite.gateway.openid.endpoints.refusals import (
    INVALID_REQUEST,
    Refusal,
    invalid_client,
)
from pbxsite.gateway.openid.endpoints.serving import for_clients
from pbxsite.gateway.openid.models import Grant, OpenIdClient

# Whatever is wrong with a token, a server hears no more than this (RFC 7662, 2.2).
INACTIVE = {"active": False}


@login_not_required
@csrf_exempt
@never_cache
@require_POST
@for_clients
def introspect(request: HttpRequest, client: OpenIdClient) -> HttpResponse:
    if client.is_public:
        raise invalid_client("a public client has no secret, and checks no tokens")
    value = request.POST.get("token", "")
    if not value:
        raise Refusal(INVALID_REQUEST, "token is missing: send it")
    return JsonResponse(_told(value, client) or INACTIVE)


def _told(value: str, caller: OpenIdClient) -> dict[str, Any] | None:
    token = Token.objects.valid().by_value(value).select_related("user").first()
    grant = grants.of_token(value)
    if token is None or grant is None or not _may_know(caller, token):
        return None
    return _facts(caller, token, grant) if grants.is_live(grant) else None


def _may_know(caller: OpenIdClient, token: Token) -> bool:
    """A foreign client's token opens no mailbox, and none of the other kind's does."""
    if token.client_id == caller.client_id:
        return True
    if not caller.checks_tokens or token.type != Token.Type.ACCESS_TOKEN:
        return False
    other = find(token.client_id)
    if other is None or not other.application.is_own:
        return False
    return bool(other.application.kind == caller.application.kind)


def _facts(caller: OpenIdClient, token: Token, grant: Grant) -> dict[str, Any]:
    granted = token.get_scopes()
    scopes = SCOPES if caller.checks_tokens else granted
    claims: dict[str, Any] = get_adapter().get_claims(
        "userinfo", token.user, caller.client, scopes
    )
    facts: dict[str, Any] = {
        "active": True,
        "iss": settings.SITE_URL,
        "client_id": token.client_id,
        "aud": token.client_id,
        "scope": " ".join(granted),
        "iat": int(token.created_at.timestamp()),
        "exp": int(token.expires_at.timestamp()),
        "auth_time": int(grant.authenticated_at.timestamp()),
        "amr": grant.authentication_methods.split(),
    }
    if token.type == Token.Type.ACCESS_TOKEN:
        facts["token_type"] = "Bearer"  # noqa: S105
    if "preferred_username" in claims:
        facts["username"] = claims["preferred_username"]
    return facts | claims
