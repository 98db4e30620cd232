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
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest
from django.utils import timezone

from authconfig.choices import Method
from authconfig.clients.choices import Kind
from authconfig.clients.session_kinds import SESSION_KEY
from authconfig.users.changes import hold_sessions
from authconfig.users.models import PbxUser
from pbxsite.gateway.openid.back_channel import visits
from pbxsite.gateway.openid.clients import opens
from pbxsite.gateway.openid.models import Grant, GrantedToken
from verification.sessions.choices import Approver
from verification.sessions.factors import is_missing_for
from verification.sessions.reauthentication import authenticated_at
from verification.sessions.signed_in import user_of

CODE_TTL = timedelta(seconds=app_settings.AUTHORIZATION_CODE_EXPIRES_IN)
CODE = Q(type=Token.Type.AUTHORIZATION_CODE)
# A used code is recognised for so long, even when no token is left of it.
REMEMBERED_TTL = timedelta(days=2)
# RFC 8176: "mfa" is said of a factor alone, for an approval by e-mail is none at AAL2
# (NIST SP 800-63B-4, 3.1.3). It is another channel, "mca", and which one follows.
AMR_OF_APPROVER = {
    Approver.FACTOR.value: ("mfa",),
    Approver.EMAIL.value: ("mca", "email"),
    Approver.SESSION.value: ("mca", "session"),
}


@transaction.atomic
def begin(
    request: HttpRequest, client_id: str, code: str, *, has_challenge: bool
) -> bool:
    """Bind a new code to the session; False if that has just ended."""
    assert isinstance(request.user, PbxUser)
    hold_sessions([request.user.pk])
    key = request.session.session_key
    session = UserSession.objects.filter(session_key=key, user=request.user).first()
    if session is None:
        Token.objects.filter(CODE, hash=_hash(code)).delete()
        return False
    grant = Grant.objects.create(
        session=session,
        user_id=session.user_id,
        client_id=client_id,
        code_hash=_hash(code),
        authenticated_at=datetime.fromtimestamp(authenticated_at(request), UTC),
        authentication_methods=methods(session.data),
        has_challenge=has_challenge,
    )
    _keep_code(grant)
    return True


def _keep_code(grant: Grant) -> None:
    """Let the code's row end with the grant where allauth keeps one (from 65.22 on)."""
    if Token.objects.filter(CODE, hash=grant.code_hash).exists():
        GrantedToken.objects.create(grant=grant, hash=grant.code_hash)


def methods(facts: dict[str, str]) -> str:
    """Return amr; RFC 8176 has no word for a login elsewhere, Entra ID says "fed"."""
    first = "fed" if facts.get("method") == Method.OAUTH2 else "pwd"
    return " ".join([first, *AMR_OF_APPROVER.get(facts.get("approver", ""), ())])


def of_code(code: str) -> Grant | None:
    return _first(code_hash=_hash(code))


def of_token(value: str) -> Grant | None:
    """Return the grant of a token, if that is of the grant's own user and client."""
    same = {"user": OuterRef("user"), "client": OuterRef("client")}
    token = Token.objects.filter(~CODE, hash=_hash(value), **same)
    return _first(Exists(token), tokens__hash=_hash(value))


def _first(*conditions: Exists, **values: str) -> Grant | None:
    found = Grant.objects.filter(*conditions, **values)
    return found.select_related("session").first()


def is_live(grant: Grant) -> bool:
    engine = import_module(settings.SESSION_ENGINE)
    session = engine.SessionStore(grant.session.session_key)
    user = user_of(session)
    if user is None or user.pk != grant.user_id:
        return False
    if not opens(session, grant.client_id):
        return False
    return not is_missing_for(grant.user_id, Kind(session[SESSION_KEY]))


def hold(grant: Grant) -> bool:
    """Let nothing end the grant before the transaction does; False if it has ended."""
    hold_sessions([grant.user_id])
    return Grant.objects.filter(pk=grant.pk).exists()


def spend(grant: Grant) -> bool:
    """Use the code up; False if it is too old, or another request was first."""
    now = timezone.now()
    young = Grant.objects.filter(pk=grant.pk, created_at__gt=now - CODE_TTL)
    return young.filter(spent_at=None).update(spent_at=now) == 1


def is_spent(grant: Grant) -> bool:
    return Grant.objects.filter(pk=grant.pk, spent_at__isnull=False).exists()


def keep(grant: Grant, values: Iterable[str]) -> bool:
    """Bind tokens; False if one is of another grant, or of another user or client."""
    hashes = {_hash(value) for value in values}
    own = Token.objects.filter(user=grant.user_id, client=grant.client_id)
    if own.filter(hash__in=hashes).count() != len(hashes):
        return False
    kept = [GrantedToken(grant=grant, hash=each) for each in hashes]
    # allauth hands out the same refresh token until it expires.
    GrantedToken.objects.bulk_create(kept, ignore_conflicts=True)
    return grant.tokens.filter(hash__in=hashes).count() == len(hashes)


@transaction.atomic
def end(grant: Grant) -> None:
    hold_sessions([grant.user_id])
    Grant.objects.filter(pk=grant.pk).delete()


def end_at(client_id: str, session: SessionBase) -> None:
    """End what a client was given of one session, as it wishes itself."""
    visits.forget(client_id, session)
    of_client = Grant.objects.filter(client=client_id).select_related("session")
    for grant in of_client.filter(session__session_key=session.session_key):
        end(grant)


def forget_old() -> None:
    Token.objects.expired().delete()
    kept = Token.objects.filter(hash=OuterRef("hash"))
    GrantedToken.objects.filter(~Exists(kept)).delete()
    # Of grants that ended before tokens ended with them.
    bound = GrantedToken.objects.filter(hash=OuterRef("hash"))
    # A code that was just made is bound in the next moment, and soon expires.
    Token.objects.filter(~CODE, ~Exists(bound)).delete()
    old = Grant.objects.filter(created_at__lt=timezone.now() - REMEMBERED_TTL)
    old.filter(tokens=None).delete()


def _hash(value: str) -> str:
    return str(get_adapter().hash_token(value))
