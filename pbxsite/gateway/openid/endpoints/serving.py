"""Authenticates a client first, and limits what fails alone.

So nobody keeps a client out by bad requests, be it from its address or in its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from allauth.core import ratelimit
from django.http import HttpRequest, HttpResponse

from authconfig.users import audit
from authconfig.users.audit import origin_of
from pbxsite.gateway.openid.endpoints.authentication import authenticate, claimed_id
from pbxsite.gateway.openid.endpoints.cors import note_served
from pbxsite.gateway.openid.endpoints.refusals import Refusal, too_often
from pbxsite.gateway.openid.models import OpenIdClient

View = Callable[[HttpRequest], HttpResponse]
ClientView = Callable[[HttpRequest, OpenIdClient], HttpResponse]
# The names that a scheme may have (RFC 9110, 11.1).
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,30}")
FAILURES = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED)


def for_clients(serve: ClientView) -> View:
    @wraps(serve)
    def view(request: HttpRequest) -> HttpResponse:
        client = None
        try:
            client = authenticate(request)
            note_served(request, client.client_id)
            _limit(request, client)
            return serve(request, client)
        except Refusal as refusal:
            response = _refused(request, client, refusal)
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                response["WWW-Authenticate"] = challenge(request)
            return response

    return view


def challenge(request: HttpRequest) -> str:
    """Name the scheme by which the client showed its secret (RFC 6749, 5.2)."""
    scheme = request.headers.get("Authorization", "").partition(" ")[0]
    return f'{scheme if SCHEME.fullmatch(scheme) else "Basic"} realm="client"'


def _limit(request: HttpRequest, client: OpenIdClient) -> None:
    """Limit who showed a secret: anybody may speak in a public client's name."""
    if client.is_public:
        return
    if not ratelimit.consume(request, action="openid", key=client.client_id):
        raise too_often()


def _refused(
    request: HttpRequest, client: OpenIdClient | None, refusal: Refusal
) -> HttpResponse:
    if refusal.status not in FAILURES:
        return refusal.response
    if _fails_seldom(request, client):
        _record(request, refusal)
        return refusal.response
    return refusal.response if refusal.is_news else too_often().response


def _fails_seldom(request: HttpRequest, client: OpenIdClient | None) -> bool:
    """Count a failure of a client that is known for sure apart from its address's."""
    if client is None or client.is_public:
        return bool(ratelimit.consume(request, action="openid_failed"))
    key = client.client_id
    return bool(ratelimit.consume(request, action="openid_client_failed", key=key))


def _record(request: HttpRequest, refusal: Refusal) -> None:
    audit.record(
        refusal.event,
        user=refusal.user,
        origin=origin_of(request),
        detail=f"client {claimed_id(request)}: {refusal.code}",
    )
