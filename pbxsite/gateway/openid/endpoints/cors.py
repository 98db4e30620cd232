"""Which pages of other origins may read what the provider says (CORS).

Its configuration and keys are for everybody. What a public client is told is for the
pages of its redirect URIs alone. A client with a secret keeps it on a server, which
needs none of this. No answer here depends on a cookie.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from pbxsite.gateway.openid.clients import find, public_clients
from pbxsite.gateway.openid.models import OpenIdClient
from pbxsite.gateway.openid.redirect_uris import reaches

View = Callable[[HttpRequest], HttpResponse]
SERVED = "openid_served_client"
EVERY_ORIGIN = "*"
ASKED_AGAIN_SECONDS = 600


def note_served(request: HttpRequest, client_id: str) -> None:
    """Say whose answer it will be."""
    setattr(request, SERVED, client_id)


def for_every_origin(view: View) -> View:
    @wraps(view)
    def shared(request: HttpRequest) -> HttpResponse:
        if request.method == "OPTIONS":
            return _preflight(EVERY_ORIGIN)
        return _readable(view(request), EVERY_ORIGIN)

    return shared


def for_public_clients(view: View) -> View:
    @wraps(view)
    def shared(request: HttpRequest) -> HttpResponse:
        origin = request.headers.get("Origin", "")
        if request.method == "OPTIONS":
            # It does not say which client will ask.
            response = _preflight(origin if _is_some_clients(origin) else "")
        else:
            response = view(request)
            if origin and _may_read(request, response, origin):
                _readable(response, origin)
        patch_vary_headers(response, ["Origin"])
        return response

    return shared


def _may_read(request: HttpRequest, response: HttpResponse, origin: str) -> bool:
    client_id = getattr(request, SERVED, "")
    if client_id:
        openid = find(client_id)
        return openid is not None and _is_own(origin, openid)
    # A refusal that is nobody's holds nothing but its reason.
    is_refusal = response.status_code >= HTTPStatus.BAD_REQUEST
    return is_refusal and _is_some_clients(origin)


def _is_own(origin: str, openid: OpenIdClient) -> bool:
    return openid.is_public and reaches(origin, openid.redirect_uris.splitlines())


def _is_some_clients(origin: str) -> bool:
    return bool(origin) and any(_is_own(origin, each) for each in public_clients())


def _preflight(origin: str) -> HttpResponse:
    response = HttpResponse(status=HTTPStatus.NO_CONTENT)
    if origin:
        _readable(response, origin)
        response["Access-Control-Allow-Methods"] = "GET, POST"
        response["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        response["Access-Control-Max-Age"] = str(ASKED_AGAIN_SECONDS)
    return response


def _readable(response: HttpResponse, origin: str) -> HttpResponse:
    response["Access-Control-Allow-Origin"] = origin
    response["Access-Control-Expose-Headers"] = "WWW-Authenticate, Retry-After"
    return response
