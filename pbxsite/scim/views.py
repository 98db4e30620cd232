"""The door of SCIM: who may come in, how often, and what is kept of each request.

Machines read the answers: English alone, in SCIM's own form of errors (RFC 7644, 3.12).
"""

from __future__ import annotations

import logging
from functools import cache
from http import HTTPStatus
from importlib import import_module
from typing import Any

from allauth.core.internal import ratelimit
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import translation
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from authconfig.choices import Event
from authconfig.sync.models import ScimKey
from authconfig.users import audit
from authconfig.users.audit import origin_of
from authconfig.users.bearer_keys import shown_in
from pbxsite.scim import requests

logger = logging.getLogger(__name__)
MEDIA_TYPE = "application/scim+json"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
# RFC 7643, 5: what the server can do is told to everybody.
OPEN = "ServiceProviderConfig"
RETRY_AFTER = {"Retry-After": "30"}


def base_url() -> str:
    """Return the address for the provider; the Host header never counts."""
    return f"{settings.SITE_URL}{reverse('scim:root')}".rstrip("/")


@csrf_exempt
@login_not_required
@never_cache
def serve(request: HttpRequest, path: str) -> HttpResponse:
    with translation.override("en"):
        if refusal := _refusal(request, path):
            return refusal
        answer = _answer(request, path)
    requests.keep(request, path, answer)
    return answer


def _refusal(request: HttpRequest, path: str) -> HttpResponse | None:
    """Limit wrong keys alone by address, or somebody there could lock it out."""
    shown = shown_in(request)
    if path.strip("/") == OPEN and not shown:
        return None
    try:
        is_right = bool(shown) and ScimKey.is_right(shown)
    except (DatabaseError, InterfaceError):
        return _away()
    if is_right:
        return None if _are_few(request, "scim", key="scim") else _too_many()
    return _wrong_key(request, shown)


def _are_few(request: HttpRequest, action: str, key: str | None = None) -> bool:
    """Count reading as well, which allauth's own door to its limits leaves out."""
    return bool(
        ratelimit.consume(
            request, app="allauth.account", action=action, key=key, limit_get=True
        )
    )


def _wrong_key(request: HttpRequest, shown: str) -> HttpResponse:
    if not _are_few(request, "scim_key"):
        return _too_many()
    challenge = 'Bearer realm="scim"'
    if shown:
        challenge += ', error="invalid_token"'
        audit.record(Event.SCIM_KEY_WRONG, user=None, origin=origin_of(request))
    detail = "Send “Authorization: Bearer KEY” with the key of manage.py scimkey make."
    return _error(
        HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": challenge}
    )


def _answer(request: HttpRequest, path: str) -> HttpResponse:
    try:
        found = protocol().answer(request, path)
    except (DatabaseError, InterfaceError):
        logger.exception("SCIM: the database failed")
        return _away()
    answer = HttpResponse(status=found.status)
    if found.body is not None:
        answer = JsonResponse(found.body, status=found.status)
    for name, value in found.headers.items():
        answer[name] = value
    return answer


@cache
def protocol() -> Any:
    return import_module("pbxsite.scim.protocol")


def _away() -> HttpResponse:
    detail = "The database does not answer. Ask again later."
    return _error(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=RETRY_AFTER)


def _too_many() -> HttpResponse:
    detail = "Too many requests. Ask again later."
    return _error(HTTPStatus.TOO_MANY_REQUESTS, detail, headers=RETRY_AFTER)


def _error(status: HTTPStatus, detail: str, *, headers: dict[str, str]) -> HttpResponse:
    told = {"schemas": [ERROR], "status": str(status.value), "detail": detail}
    return JsonResponse(told, status=status, content_type=MEDIA_TYPE, headers=headers)
