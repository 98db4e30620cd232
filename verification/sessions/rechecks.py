"""Ends the sessions of users whom the directory would not let in any more."""

from __future__ import annotations

import logging

from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.db.models import QuerySet

from authconfig.choices import Event, Method
from authconfig.clients.choices import Kind
from authconfig.directory.faults import DirectoryError
from authconfig.directory.recheck import refused_users
from authconfig.directory.remedies import audit_detail
from authconfig.models import current_rules
from authconfig.policy import uses
from authconfig.users import audit
from verification.sessions.lifecycle import live_sessions

logger = logging.getLogger(__name__)


def end_sessions_of_refused_users() -> int:
    """Ask the directory about everybody who logged in with their Windows password.

    Without a service account the directory cannot be asked. While it cannot be reached,
    nobody's session ends.
    """
    rules = current_rules()
    if not (uses(rules, Method.NETLOGON) and rules.netlogon_bind_dn):
        return 0
    sessions = list(_sessions())
    try:
        refused = refused_users(rules, sorted({s.user.name for s in sessions}))
    except DirectoryError as error:
        logger.warning("accounts not re-checked: %s", audit_detail(error))
        return 0
    refusals = [(s, refused.get(s.user.name)) for s in sessions]
    return sum(_end(session, error) for session, error in refusals if error)


def _sessions() -> QuerySet[UserSession]:
    sessions = live_sessions().filter(data__method=Method.NETLOGON)
    return sessions.select_related("user")


def _end(session: UserSession, error: DirectoryError) -> int:
    get_adapter().end_sessions([session])
    audit.record(
        Event.SESSION_ENDED,
        user=session.user,
        kind=Kind(session.data["kind"]),
        method=Method.NETLOGON,
        detail=audit_detail(error),
    )
    return 1
