"""The sessions of a user: who they are, how they are listed, how they end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from allauth.usersessions.adapter import get_adapter as get_sessions_adapter
from allauth.usersessions.models import UserSession
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, logout
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from authconfig.choices import Event, Method, Origin
from authconfig.clients.choices import Kind
from authconfig.clients.session_kinds import is_myapps, session_kind
from authconfig.users import audit
from authconfig.users.audit import origin_of
from authconfig.users.changes import end_sessions, hold_sessions
from authconfig.users.models import PbxUser
from verification.redis_access import announce_user
from verification.sessions.choices import Approver
from verification.sessions.factors import APPROVED_BY
from verification.sessions.lifecycle import forget_unapproved, live_sessions
from verification.sessions.user_agents import browser_text


class SessionsAdapter(DefaultUserSessionsAdapter):
    """Tells the open pages of sessions that end."""

    def end_sessions(self, sessions: Iterable[UserSession]) -> None:
        chosen = list(sessions)
        users = {session.user_id for session in chosen}
        with transaction.atomic():
            # What clients are given meanwhile would keep a session from its end.
            hold_sessions(users)
            # Each ends under the key that it has by now.
            locked = UserSession.objects.select_for_update().order_by("pk")
            present = locked.filter(pk__in=[session.pk for session in chosen])
            super().end_sessions(list(present))
        for user_pk in users:
            transaction.on_commit(partial(announce_user, user_pk))


@dataclass(frozen=True)
class ListedSession:
    pk: int
    is_current: bool
    kind_label: str
    browser_text: str
    address: str
    created_at: datetime
    last_seen_at: datetime
    method_label: str
    approved_by_label: str


def user_of(session: SessionBase) -> PbxUser | None:
    """Return whose session this is, without touching it.

    Django's own `get_user` may give the session a new key, and neither a stream nor a
    client's token could tell the browser of it.
    """
    stored = session.get(SESSION_KEY)
    user = PbxUser.objects.filter(pk=stored, is_active=True).first() if stored else None
    return user if user and is_unchanged(user, session) else None


def is_unchanged(user: PbxUser, kept: SessionBase | dict[str, Any]) -> bool:
    return user.is_bound_by(kept.get(HASH_SESSION_KEY, ""))


def listed(request: HttpRequest) -> list[ListedSession]:
    key = request.session.session_key
    found = [_listed(s, is_current=s.session_key == key) for s in manageable(request)]
    return sorted(found, key=lambda session: not session.is_current)


def listed_of(user: PbxUser, most: int) -> list[ListedSession]:
    """Return the user's live sessions as another one's page lists them."""
    sessions = live_sessions().filter(user=user).order_by("-last_seen_at")
    return [_listed(session, is_current=False) for session in sessions[:most]]


def _listed(session: UserSession, *, is_current: bool) -> ListedSession:
    data = session.data
    return ListedSession(
        pk=session.pk,
        is_current=is_current,
        kind_label=_label(Kind, data.get("kind")),
        browser_text=browser_text(session.user_agent),
        address=session.ip,
        created_at=session.created_at,
        last_seen_at=session.last_seen_at,
        method_label=_label(Method, data.get("method")),
        approved_by_label=_label(Approver, data.get("approver")),
    )


def _label(
    choices: type[Kind] | type[Method] | type[Approver], value: str | None
) -> str:
    return str(choices(value).label) if value else ""


def manageable(request: HttpRequest) -> QuerySet[UserSession]:
    """Return the sessions that this one lists and may end; one of myPBX only itself."""
    assert isinstance(request.user, PbxUser)
    sessions = live_sessions().filter(user=request.user).order_by("-last_seen_at")
    if is_myapps(request):
        return sessions
    return sessions.filter(session_key=request.session.session_key)


def never_approved(*, besides: str = "") -> QuerySet[UserSession]:
    """Return all users' live myApps sessions that nobody is known to have approved."""
    # Of older ones an approval by e-mail is known alone: a factor may be a stranger's.
    older = ~Q(data__has_key=APPROVED_BY) & ~Q(data__approver=Approver.EMAIL)
    sessions = live_sessions().filter(
        Q(**{f"data__{APPROVED_BY}": ""}) | older, data__kind=Kind.MYAPPS
    )
    return sessions.exclude(session_key=besides).select_related("user")


def end_never_approved(
    *, actor: PbxUser | None, origin: Origin = audit.NOWHERE, besides: str = ""
) -> int:
    ended = list(never_approved(besides=besides))
    forget_unapproved()
    get_sessions_adapter().end_sessions(ended)
    for session in ended:
        audit.record(Event.SESSION_ENDED, user=session.user, actor=actor, origin=origin)
    return len(ended)


def end_all(user: PbxUser, *, origin: Origin, besides: str = "") -> int:
    """End all of the user's sessions as they wish, and what would become one."""
    ended = end_sessions([user], besides=besides)
    words = "all others" if besides else "all"
    audit.record(
        Event.SESSION_ENDED, user=user, actor=user, origin=origin, detail=words
    )
    return ended


def log_out(request: HttpRequest) -> None:
    """End the browser's own session; its other pages hear of it."""
    assert isinstance(request.user, PbxUser)
    audit.record(
        Event.LOGOUT,
        user=request.user,
        actor=request.user,
        origin=origin_of(request),
        kind=session_kind(request),
    )
    own = UserSession.objects.filter(session_key=request.session.session_key)
    get_sessions_adapter().end_sessions(own)
    logout(request)


def end(request: HttpRequest, ended: Iterable[UserSession]) -> None:
    """End the sessions; who ends their own logs out."""
    assert isinstance(request.user, PbxUser)
    origin = origin_of(request)
    for session in ended:
        audit.record(
            Event.SESSION_ENDED, user=request.user, actor=request.user, origin=origin
        )
        get_sessions_adapter().end_sessions([session])
        if session.session_key == request.session.session_key:
            logout(request)
            return
