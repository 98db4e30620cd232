"""What has to happen before a client's request gets its code."""

from __future__ import annotations

import time
from enum import Enum, auto
from typing import Any

from allauth.idp.oidc.adapter import get_adapter
from allauth.idp.oidc.internal.tokens import decode_jwt_token
from django.http import HttpRequest

from authconfig.clients.choices import Kind
from authconfig.clients.session_kinds import session_kind
from pbxsite.gateway.openid.asking_time import marked_at
from pbxsite.gateway.openid.clients import is_shut
from pbxsite.gateway.openid.forms import AuthorizationForm
from pbxsite.gateway.openid.models import OpenIdClient
from verification.sessions.reauthentication import authenticated_at

CONSENTS = "openid_consents"
# A browser holds one account at a time, so to select one is to log in.
ASK_FOR_A_LOGIN = {"login", "select_account"}


class Reaction(Enum):
    SHUT = auto()
    LOG_IN = auto()
    OTHER_USER = auto()
    LOG_IN_AGAIN = auto()
    CONSENT = auto()
    ANSWER = auto()


def reaction_to(
    request: HttpRequest, openid: OpenIdClient, asked: AuthorizationForm
) -> Reaction:
    if is_shut(openid):
        return Reaction.SHUT
    if session_kind(request) is not Kind(openid.application.kind):
        return Reaction.LOG_IN
    if not _is_hinted(request, openid, asked):
        return Reaction.OTHER_USER
    if not _is_fresh(request, asked):
        return Reaction.LOG_IN_AGAIN
    if not _has_consent(request, openid, asked):
        return Reaction.CONSENT
    return Reaction.ANSWER


def _is_hinted(
    request: HttpRequest, openid: OpenIdClient, asked: AuthorizationForm
) -> bool:
    """Say whether the user is the one of the client's ID token, which may be over."""
    hint, adapter = asked.cleaned_data["id_token_hint"], get_adapter()
    if not hint:
        return True
    facts = {"client_id": openid.client_id, "verify_exp": False, "verify_iss": True}
    payload = decode_jwt_token(hint, **facts) or {}
    return bool(payload.get("sub") == adapter.get_user_sub(openid.client, request.user))


def _is_fresh(request: HttpRequest, asked: AuthorizationForm) -> bool:
    """Say whether the login is as young as the client wants, or answers its wish."""
    at, mark = authenticated_at(request), marked_at(request)
    if mark is not None and at >= mark:
        return True
    max_age = asked.cleaned_data["max_age"]
    too_old = max_age is not None and time.time() - at > max_age
    return not too_old and not ASK_FOR_A_LOGIN & asked.cleaned_data["prompt"]


def _has_consent(
    request: HttpRequest, openid: OpenIdClient, asked: AuthorizationForm
) -> bool:
    """Say whether the user agreed; consent lasts as long as the session."""
    is_asked_for = "consent" in asked.cleaned_data["prompt"]
    if openid.application.is_own and not is_asked_for:
        return True
    given: dict[str, Any] = request.session.get(CONSENTS, {}).get(openid.client_id, {})
    covers = set(asked.cleaned_data["scope"]) <= set(given.get("scope", ()))
    if not is_asked_for:
        return covers
    mark = marked_at(request)
    return covers and mark is not None and given["at"] >= mark


def note_consent(
    request: HttpRequest, openid: OpenIdClient, asked: AuthorizationForm
) -> None:
    given = {"scope": asked.cleaned_data["scope"], "at": time.time()}
    consents = request.session.get(CONSENTS, {})
    request.session[CONSENTS] = consents | {openid.client_id: given}
