"""Grants, which bind codes and tokens to the session that they come from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from importlib import import_module

from allauth.idp.oidc import app_settings
from allauth.idp.oidc.adapter import get_adapter
from allauth.idp.oidc.models import Token
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django.utils import timezone

from authconfig.choices import Method
from authconfig.clients.choices import Kind
from authconfig.clients.session_kinds import SESSION_KEY
from pbxsite.gateway.openid.clients import opens
from pbxsite.gateway.openid.models import Grant, GrantedToken
from verification.sessions.factors import is_missing_for
from verification.sessions.reauthentication import authenticated_at
from verification.sessions.signed_in import user_of

CODE_TTL = timedelta(seconds=app_settings.AUTHORIZATION_CODE_EXPIRES_IN)
# A used code is recognised for so long, even when no token is left of it.
REMEMBERED_TTL = timedelta(days=2)


def begin(request: HttpRequest, client_id: str, code: str) -> None:
    session = UserSession.objects.get(session_key=request.session.session_key)
    Grant.objects.create(
        session=session,
        user_id=session.user_id,
        client_id=client_id,
        code_hash=_hash(code),
        authenticated_at=datetime.fromtimestamp(authenticated_at(request), UTC),
        authentication_methods=methods(session.data),
    )


def methods(facts: dict[str, str]) -> str:
    """Return amr; RFC 8176 has no word for a login elsewhere, Entra ID says "fed"."""
    first = "fed" if facts.get("method") == Method.OAUTH2 else "pwd"
    return f"{first} mfa" if facts.get("approver") else first


def of_code(code: str) -> Grant | None:
    return _first(code_hash=_hash(code))


def of_token(value: str) -> Grant | None:
    return _first(tokens__hash=_hash(value))


def _first(**conditions: str) -> Grant | None:
    return Grant.objects.select_related("session").filter(**conditions).first()


def is_live(grant: Grant) -> bool:
    engine = import_module(settings.SESSION_ENGINE)
    session = engine.SessionStore(grant.session.session_key)
    user = user_of(session)
    if user is None or user.pk != grant.user_id:
        return False
    if not opens(session, grant.client_id):
        return False
    return not is_missing_for(grant.user_id, Kind(session[SESSION_KEY]))


def keep(grant: Grant, code: str, tokens: Iterable[str]) -> bool:
    """Bind new tokens; False if the code is over, or another request was first."""
    now = timezone.now()
    young = Grant.objects.filter(pk=grant.pk, created_at__gt=now - CODE_TTL)
    if code and not young.filter(spent_at=None).update(spent_at=now):
        return False
    kept = [GrantedToken(grant=grant, hash=_hash(value)) for value in tokens]
    # allauth hands out the same refresh token until it expires.
    GrantedToken.objects.bulk_create(kept, ignore_conflicts=True)
    return True


@transaction.atomic
def end(grant: Grant) -> None:
    hashes = list(grant.tokens.values_list("hash", flat=True))
    Token.objects.filter(hash__in=hashes).delete()
    grant.delete()


def forget_old() -> None:
    Token.objects.expired().delete()
    kept = Token.objects.filter(hash=OuterRef("hash"))
    GrantedToken.objects.filter(~Exists(kept)).delete()
    old = Grant.objects.filter(created_at__lt=timezone.now() - REMEMBERED_TTL)
    old.filter(tokens=None).delete()


def _hash(value: str) -> str:
    return str(get_adapter().hash_token(value))
