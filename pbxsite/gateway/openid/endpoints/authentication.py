"""Which client asks: one way to show its secret, or a public client's name alone.

RFC 6749, 2.3: no request uses more than one way. What the header says and what the body
says would else be checked for one client and used for another.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from django.http import HttpRequest

from pbxsite.gateway.openid.clients import find
from pbxsite.gateway.openid.endpoints.refusals import (
    INVALID_REQUEST,
    Refusal,
    invalid_client,
)
from pbxsite.gateway.openid.models import OpenIdClient

NAME = re.compile(r"[a-z_]{1,40}")
# Enough to find a client again in the audit log.
SHOWN_LENGTH = 40


@dataclass(frozen=True)
class Shown:
    client_id: str
    secret: str


def authenticate(request: HttpRequest) -> OpenIdClient:
    _check_readable(request)
    shown = _shown(request)
    openid = find(shown.client_id)
    if openid is None or not _is_proven(openid, shown.secret):
        raise invalid_client("compare client ID and secret with the client's page")
    return openid


def claimed_id(request: HttpRequest) -> str:
    """Return whom the request says that it comes from, for the audit log."""
    claimed = _in_header(request) or _in_body(request)
    return claimed.client_id[:SHOWN_LENGTH]


def credentials(request: HttpRequest, scheme: str) -> str:
    given, _blank, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if given.lower() == scheme else ""


def _check_readable(request: HttpRequest) -> None:
    """Refuse what comes twice (RFC 6749, 3.2), and NUL, which PostgreSQL takes not."""
    for name, values in request.POST.lists():
        shown = name if NAME.fullmatch(name) else "a parameter"
        if len(values) > 1:
            raise Refusal(INVALID_REQUEST, f"{shown} is there twice: send it once")
        if "\0" in values[0]:
            raise Refusal(INVALID_REQUEST, f"{shown} has a NUL: leave it out")


def _shown(request: HttpRequest) -> Shown:
    body = _in_body(request)
    if request.POST.get("client_assertion"):
        raise invalid_client("client_assertion is not supported: send client_secret")
    if "Authorization" not in request.headers:
        return body
    header = _in_header(request)
    if header is None or "\0" in header.client_id:
        raise invalid_client("Authorization has to be Basic, or left out")
    if body.secret:
        words = "Authorization shows a secret already: leave client_secret out"
        raise Refusal(INVALID_REQUEST, words)
    if body.client_id not in ("", header.client_id):
        words = "client_id is another one than that of Authorization: leave it out"
        raise Refusal(INVALID_REQUEST, words)
    return header


def _in_body(request: HttpRequest) -> Shown:
    post = request.POST
    return Shown(post.get("client_id", ""), post.get("client_secret", ""))


def _in_header(request: HttpRequest) -> Shown | None:
    try:
        text = base64.b64decode(credentials(request, "basic")).decode()
    except ValueError:
        return None
    client_id, colon, secret = text.partition(":")
    return Shown(client_id, secret) if colon else None


def _is_proven(openid: OpenIdClient, secret: str) -> bool:
    """A client without a secret of its own is proven by none, and costs no hash."""
    if openid.is_public:
        return not secret
    is_shown = bool(secret and openid.secret_made_at)
    return is_shown and bool(openid.client.check_secret(secret))
