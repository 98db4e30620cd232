"""The endpoints that give tokens, take them, and take them back."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from allauth.idp.oidc import views as allauth
from allauth.idp.oidc.models import Token
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from authconfig.choices import Event
from pbxsite.gateway.openid import grants
from pbxsite.gateway.openid.adapter import GRANT
from pbxsite.gateway.openid.endpoints.authentication import credentials
from pbxsite.gateway.openid.endpoints.cors import for_public_clients, note_served
from pbxsite.gateway.openid.endpoints.refusals import (
    INVALID_GRANT,
    INVALID_REQUEST,
    Refusal,
)
from pbxsite.gateway.openid.endpoints.serving import for_clients
from pbxsite.gateway.openid.endpoints.token_requests import TokenRequest, as_read, read
from pbxsite.gateway.openid.models import Grant, OpenIdClient

logger = logging.getLogger(__name__)

BEARER = 'Bearer realm="userinfo"'
# allauth's words for an address that is not the code's; the error is RFC 6749's, 5.2.
OTHER_ADDRESS = "Mismatching redirect URI."


@login_not_required
@csrf_exempt
@never_cache
@for_public_clients
@require_POST
@for_clients
def token(request: HttpRequest, client: OpenIdClient) -> HttpResponse:
    asked = read(request, client)
    grant = _live_grant(asked, client)
    try:
        return _issued(request, client, asked, grant)
    except Refusal:
        if not (asked.is_code and grants.is_spent(grant)):
            raise
    # RFC 6749, 4.1.2: a code that comes twice may be stolen.
    grants.end(grant)
    raise Refusal(INVALID_GRANT, event=Event.CODE_REPLAYED, user=grant.user)


def _live_grant(asked: TokenRequest, client: OpenIdClient) -> Grant:
    """Return the grant, if it is this client's and its session goes on."""
    of = grants.of_code if asked.is_code else grants.of_token
    grant = of(asked.basis)
    if grant is None or grant.client_id != client.client_id:
        raise _over(asked)
    if not grants.is_live(grant):
        grants.end(grant)
        raise _over(asked)
    if asked.is_code and "code_verifier" in asked.words and not grant.has_challenge:
        # RFC 9700, 2.1.1: somebody may have taken the challenge out on the way.
        words = "the code was asked for without code_challenge: leave code_verifier out"
        raise Refusal(INVALID_GRANT, words)
    return grant


def _over(asked: TokenRequest) -> Refusal:
    return Refusal(INVALID_GRANT, is_news=not asked.is_code)


@transaction.atomic
def _issued(
    request: HttpRequest, client: OpenIdClient, asked: TokenRequest, grant: Grant
) -> HttpResponse:
    """Have allauth make tokens and bind them; a refusal takes back what was written."""
    if not grants.hold(grant) or (asked.is_code and not grants.spend(grant)):
        raise _over(asked)
    setattr(request, GRANT, grant)
    told = _made_tokens(as_read(request, client, asked))
    values = [told[name] for name in ("access_token", "refresh_token") if name in told]
    if not grants.keep(grant, values):
        raise _over(asked)
    if client.is_public:
        _drop_refresh_token(told)
    return JsonResponse(told)


def _made_tokens(checked: HttpRequest) -> dict[str, Any]:
    try:
        response = allauth.token(checked)
    except ImproperlyConfigured:
        logger.exception("no ID token could be signed: see manage.py rotatesigningkey")
        status = HTTPStatus.SERVICE_UNAVAILABLE
        raise Refusal("temporarily_unavailable", status=status) from None
    told: dict[str, Any] = json.loads(response.content)
    if response.status_code != HTTPStatus.OK:
        words = told.get("error_description", "")
        code = INVALID_GRANT if words == OTHER_ADDRESS else told["error"]
        raise Refusal(code, words, status=response.status_code)
    return told


def _drop_refresh_token(told: dict[str, Any]) -> None:
    """Give a public client none: a thief would need nothing else (RFC 9700, 4.14)."""
    refresh = Token.objects.by_value(told.pop("refresh_token"))
    refresh.filter(type=Token.Type.REFRESH_TOKEN).delete()
    told.pop("refresh_expires_in", None)


@login_not_required
@csrf_exempt
@never_cache
@for_public_clients
@require_POST
@for_clients
def revoke(request: HttpRequest, client: OpenIdClient) -> HttpResponse:
    """End a grant at its client's wish, no other client's (RFC 7009, 2.1)."""
    value = request.POST.get("token", "")
    if not value:
        raise Refusal(INVALID_REQUEST, "token is missing: send it")
    grant = grants.of_token(value)
    if grant and grant.client_id != client.client_id:
        raise Refusal(INVALID_GRANT)
    if grant:
        grants.end(grant)
    return HttpResponse()


@login_not_required
@csrf_exempt
@never_cache
@for_public_clients
@require_http_methods(["GET", "POST"])
def userinfo(request: HttpRequest) -> HttpResponse:
    value = credentials(request, "bearer")
    grant = grants.of_token(value)
    if grant is None or not grants.is_live(grant):
        return _no_token(fault="invalid_token" if value else "")
    note_served(request, grant.client_id)
    answered: HttpResponse = allauth.user_info(request)
    return answered


def _no_token(*, fault: str) -> HttpResponse:
    """Whoever shows none is told how to, and no error (RFC 6750, 3.1)."""
    told = {"error": fault} if fault else {}
    response = JsonResponse(told, status=HTTPStatus.UNAUTHORIZED)
    response["WWW-Authenticate"] = f'{BEARER}, error="{fault}"' if fault else BEARER
    return response
