"""Ends what the OpenID provider has logged out, by what it knows each login by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import timedelta

from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from authconfig.choices import Event, Method
from authconfig.clients.choices import Kind
from authconfig.oauth2.faults import ProviderError, ProviderFault
from authconfig.oauth2.logout_tokens import LogoutToken
from authconfig.users import audit
from verification.sessions.lifecycle import live_sessions
from verification.sessions.models import ProviderLogin, SpentLogoutToken

# Longer than an approval may take, with a second factor before it.
UNUSED_TTL = timedelta(hours=1)
# A token that is older than this is refused by its age.
SPENT_TTL = timedelta(days=1)


def log_out(token: LogoutToken) -> int:
    """End what the provider has logged out; ProviderError for a token that came before.

    Logins that wait for an approval begin no session any more.
    """
    with transaction.atomic():
        _spend(token)
        _of(token).filter(session=None).delete()
        sessions = list(_sessions_of(token))
        end(sessions, Event.PROVIDER_LOGOUT)
    return len(sessions)


def _spend(token: LogoutToken) -> None:
    named = f"{token.issuer}\n{token.token_id}"
    digest = hashlib.sha256(named.encode()).hexdigest()
    try:
        with transaction.atomic():
            SpentLogoutToken.objects.create(digest=digest)
    except IntegrityError as error:
        raise ProviderError(ProviderFault.BAD_ID_TOKEN, "jti was used") from error


def _of(token: LogoutToken) -> QuerySet[ProviderLogin]:
    logins = ProviderLogin.objects.filter(issuer=token.issuer)
    if token.subject:
        logins = logins.filter(subject=token.subject)
    return logins.filter(sid=token.sid) if token.sid else logins


def _sessions_of(token: LogoutToken) -> QuerySet[UserSession]:
    """Of a subject also the sessions that an older release began."""
    known = Q(pk__in=_of(token).exclude(session=None).values("session"))
    if token.subject and not token.sid:
        known |= Q(
            data__method=Method.OAUTH2,
            user__identities__issuer=token.issuer,
            user__identities__subject=token.subject,
        )
    sessions: QuerySet[UserSession] = UserSession.objects.filter(known).distinct()
    return sessions.select_related("user")


def end(sessions: Iterable[UserSession], event: Event, detail: str = "") -> None:
    ended = list(sessions)
    if not ended:
        return
    get_adapter().end_sessions(ended)
    for session in ended:
        audit.record(
            event,
            user=session.user,
            kind=Kind(session.data.get("kind", Kind.MYAPPS)),
            method=Method.OAUTH2,
            detail=detail,
        )


def live_logins() -> QuerySet[UserSession]:
    """Return the live sessions that a login at the provider began."""
    return live_sessions().filter(data__method=Method.OAUTH2)


def forget_old() -> None:
    now = timezone.now()
    unused = ProviderLogin.objects.filter(session=None, began_at__lt=now - UNUSED_TTL)
    unused.delete()
    SpentLogoutToken.objects.filter(at__lt=now - SPENT_TTL).delete()
