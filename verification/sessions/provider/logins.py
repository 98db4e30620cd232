"""What the OpenID provider knows a login by, until the session is over.

A login is noted when the provider has shown the user; somebody may still have to
approve it. With its session it gets the key by which the provider ends it, and what the
provider is asked with whether it still stands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.conf import settings
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


def note(account: tuple[str, str], *, sid: str, refresh_token: str) -> str:
    """Keep what the provider has said of a login; return the name it goes by here."""
    issuer, subject = account
    made = ProviderLogin.objects.create(
        issuer=issuer, subject=subject, sid=sid, refresh_token=refresh_token
    )
    return made.public_id.hex


def stands(name: str) -> bool:
    """Has the provider not ended the login while it waited here?"""
    return not name or _unused(name).exists()


def attach(name: str, session: UserSession) -> bool:
    """Let the login end with the session, and the session with the login."""
    if not name:
        return True
    now = timezone.now()
    facts = {"session": session, "proved_at": now, "next_check_at": now + every()}
    return _unused(name).update(**facts) == 1


def attach_or_end(name: str, sessions: QuerySet[UserSession]) -> None:
    """End a session that has begun after the provider ended its login."""
    for session in sessions:
        if not attach(name, session):
            get_adapter().end_sessions([session])


def every() -> timedelta:
    return timedelta(minutes=settings.OAUTH2_RECHECK_MINUTES)


def _unused(name: str) -> QuerySet[ProviderLogin]:
    return ProviderLogin.objects.filter(public_id=UUID(name), session=None)


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
