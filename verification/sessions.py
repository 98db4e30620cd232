"""The signed-in sessions of a user, as allauth.usersessions keeps them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from allauth.account.adapter import get_adapter
from allauth.usersessions.adapter import get_adapter as get_sessions_adapter
from allauth.usersessions.models import UserSession
from django.contrib.auth import logout
from django.db.models import QuerySet
from django.http import HttpRequest

from authconfig import audit
from authconfig.choices import Client, Event, Method
from authconfig.clients import is_myapps, origin_of
from authconfig.models import PbxUser
from verification.browsers import browser_text
from verification.choices import Approver
from verification.flows import live_sessions


@dataclass(frozen=True)
class ListedSession:
    pk: int
    is_current: bool
    client_label: str
    browser_text: str
    address: str
    created_at: datetime
    last_seen_at: datetime
    method_label: str
    approved_by_label: str


def listed(request: HttpRequest) -> list[ListedSession]:
    """Return the current session first, then the others, last used first."""
    key = request.session.session_key
    found = [_listed(s, is_current=s.session_key == key) for s in manageable(request)]
    return sorted(found, key=lambda session: not session.is_current)


def _listed(session: UserSession, *, is_current: bool) -> ListedSession:
    data = session.data
    return ListedSession(
        pk=session.pk,
        is_current=is_current,
        client_label=_label(Client, data.get("client")),
        browser_text=browser_text(session.user_agent),
        address=session.ip,
        created_at=session.created_at,
        last_seen_at=session.last_seen_at,
        method_label=_label(Method, data.get("method")),
        approved_by_label=_label(Approver, data.get("approver")),
    )


def _label(
    choices: type[Client] | type[Method] | type[Approver], value: str | None
) -> str:
    return str(choices(value).label) if value else ""


def manageable(request: HttpRequest) -> QuerySet[UserSession]:
    """A myPBX session sees and ends itself alone."""
    assert isinstance(request.user, PbxUser)
    sessions = live_sessions(request.user)
    if is_myapps(request):
        return sessions
    return sessions.filter(session_key=request.session.session_key)


def end(request: HttpRequest, ended: Iterable[UserSession]) -> None:
    """End the sessions; ending one's own is logging out."""
    assert isinstance(request.user, PbxUser)
    origin = origin_of(request, get_adapter().get_client_ip(request))
    for session in ended:
        audit.record(
            Event.SESSION_ENDED, user=request.user, actor=request.user, origin=origin
        )
        get_sessions_adapter().end_sessions([session])
        if session.session_key == request.session.session_key:
            logout(request)
            return
