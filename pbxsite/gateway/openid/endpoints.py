"""The endpoints for applications' servers: tokens, UserInfo, keys, configuration."""

from __future__ import annotations

import base64
import json
import logging
from http import HTTPStatus
from typing import Any

from allauth.core import ratelimit
from allauth.idp.oidc import app_settings
from allauth.idp.oidc import views as allauth
from allauth.idp.oidc.models import Client as RegisteredClient
from allauth.idp.oidc.models import Token
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from authconfig.choices import Event
from authconfig.users import audit
from authconfig.users.audit import origin_of
from pbxsite.gateway.openid import grants
from pbxsite.gateway.openid.adapter import GRANT
from pbxsite.gateway.openid.clients import SCOPES
from pbxsite.gateway.openid.forms import PROMPTS
from pbxsite.gateway.openid.models import Grant

logger = logging.getLogger(__name__)

NO_BEARER = 'Bearer error="invalid_token"'
CLAIMS = (
    "sub iss aud exp iat auth_time amr nonce name preferred_username upn number email"
)
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
    "authorization_response_iss_parameter_supported": True,
    "claims_parameter_supported": False,
    "request_parameter_supported": False,
    "request_uri_parameter_supported": False,
}


@login_not_required
@require_safe
def configuration(request: HttpRequest) -> JsonResponse:
    facts = {
        "issuer": settings.SITE_URL,
        "authorization_endpoint": _address("authorize"),
        "token_endpoint": _address("token"),
        "userinfo_endpoint": _address("userinfo"),
        "revocation_endpoint": _address("revoke"),
        "end_session_endpoint": _address("end_session"),
        "jwks_uri": _address("jwks"),
        "token_endpoint_auth_methods_supported": app_settings.AUTH_METHODS,
        "ui_locales_supported": [code for code, _name in settings.LANGUAGES],
    }
    return JsonResponse(facts | CAPABILITIES)


def _address(name: str) -> str:
    return f"{settings.SITE_URL}{reverse(f'openid:{name}')}"


@login_not_required
@require_safe
def jwks(request: HttpRequest) -> HttpResponse:
    response: HttpResponse = allauth.jwks(request)
    del response["Access-Control-Allow-Origin"]
    return response


@login_not_required
@csrf_exempt
@never_cache
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    if not _may_try(request):
        return _error("temporarily_unavailable", HTTPStatus.TOO_MANY_REQUESTS)
    if _is_unreadable(request) or "resource" in request.POST:
        return _error("invalid_request")
    code = request.POST.get("code", "")
    grant = _live_grant(code, request.POST.get("refresh_token", ""))
    response = _issued(request, grant, code)
    if HTTPStatus.OK < response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        _note_failure(request, response, grant)
    return response


def _live_grant(code: str, refresh_token: str) -> Grant | None:
    grant = grants.of_code(code) if code else grants.of_token(refresh_token)
    if grant and not grants.is_live(grant):
        grants.end(grant)
        return None
    return grant


@transaction.atomic
def _issued(request: HttpRequest, grant: Grant | None, code: str) -> HttpResponse:
    """Return allauth's answer, unless its tokens would belong to no session."""
    setattr(request, GRANT, grant)
    try:
        response: HttpResponse = allauth.token(request)
    except ImproperlyConfigured:
        logger.exception("no ID token could be signed: see manage.py rotatesigningkey")
        return _error("temporarily_unavailable", HTTPStatus.SERVICE_UNAVAILABLE)
    if response.status_code != HTTPStatus.OK:
        return response
    told = json.loads(response.content)
    values = [told[name] for name in ("access_token", "refresh_token") if name in told]
    if grant is None or not grants.keep(grant, code, values):
        transaction.set_rollback(True)
        return _error("invalid_grant")
    return _without_refresh_token(response, grant, told)


def _without_refresh_token(
    response: HttpResponse, grant: Grant, told: dict[str, Any]
) -> HttpResponse:
    """Give a public client none: a thief would need nothing else (RFC 9700, 4.14)."""
    if grant.client.type != RegisteredClient.Type.PUBLIC:
        return response
    refresh = Token.objects.by_value(told.pop("refresh_token"))
    refresh.filter(type=Token.Type.REFRESH_TOKEN).delete()
    told.pop("refresh_expires_in", None)
    response.content = json.dumps(told)
    return response


def _note_failure(
    request: HttpRequest, response: HttpResponse, grant: Grant | None
) -> None:
    """End the tokens of a code that comes twice: it may be stolen (RFC 6749, 4.1.2)."""
    ratelimit.consume(request, action="openid_failed")
    error = json.loads(response.content).get("error", "")
    replayed = grant is not None and grant.spent_at and error == "invalid_grant"
    if grant is not None and replayed:
        grants.end(grant)
    audit.record(
        Event.CODE_REPLAYED if replayed else Event.CLIENT_REFUSED,
        user=grant.user if grant else None,
        origin=origin_of(request),
        detail=f"client {_client_id(request)}: {error}",
    )


@login_not_required
@csrf_exempt
@never_cache
@require_http_methods(["GET", "POST"])
def userinfo(request: HttpRequest) -> HttpResponse:
    grant = grants.of_token(_credentials(request, "bearer"))
    if grant is None or not grants.is_live(grant):
        response = _error("invalid_token", HTTPStatus.UNAUTHORIZED)
        response["WWW-Authenticate"] = NO_BEARER
        return response
    answered: HttpResponse = allauth.user_info(request)
    return answered


@login_not_required
@csrf_exempt
@never_cache
@require_POST
def revoke(request: HttpRequest) -> HttpResponse:
    """End a grant at its client's wish; no other client's."""
    if not _may_try(request):
        return _error("temporarily_unavailable", HTTPStatus.TOO_MANY_REQUESTS)
    if _is_unreadable(request):
        return _error("invalid_request")
    grant = grants.of_token(request.POST.get("token", ""))
    if grant and grant.client_id != _client_id(request):
        return _error("invalid_grant")
    response: HttpResponse = allauth.revoke(request)
    if response.status_code != HTTPStatus.OK:
        _note_failure(request, response, None)
    elif grant:
        grants.end(grant)
    return response


def _may_try(request: HttpRequest) -> bool:
    """Limit all requests of an address, and its failures much more."""
    failed_seldom = ratelimit.consume(request, action="openid_failed", dry_run=True)
    return bool(failed_seldom and ratelimit.consume(request, action="openid"))


def _error(code: str, status: int = HTTPStatus.BAD_REQUEST) -> HttpResponse:
    return JsonResponse({"error": code}, status=status)


def _is_unreadable(request: HttpRequest) -> bool:
    """Find a NUL, which PostgreSQL does not take."""
    values = [value for pair in request.POST.lists() for value in pair[1]]
    return any("\0" in text for text in [*values, _basic(request)])


def _client_id(request: HttpRequest) -> str:
    return (_basic(request).partition(":")[0] or request.POST.get("client_id", ""))[:40]


def _basic(request: HttpRequest) -> str:
    try:
        return base64.b64decode(_credentials(request, "basic")).decode()
    except ValueError:
        return ""


def _credentials(request: HttpRequest, scheme: str) -> str:
    given, _blank, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if given.lower() == scheme else ""
