"""The last events of an account, in words for its owner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from authconfig.choices import Event
from authconfig.users.models import AuditEvent, PbxUser
from verification.approval.choices import Ending
from verification.sessions.choices import PASSWORD_CHANGE, Approver
from verification.sessions.user_agents import browser_text

MOST_EVENTS = 50
TEXTS: dict[str, str | Promise] = {
    Event.LOGIN: gettext_lazy("Logged in"),
    Event.LOGIN_FAILED: gettext_lazy("A login failed"),
    Event.LOGIN_HELD: gettext_lazy("A login waited for approval"),
    Event.FACTOR_ASKED: gettext_lazy("A login waited for the second factor"),
    Event.LOGIN_REFUSED: gettext_lazy("A login was refused"),
    Event.LOGIN_ACCEPTED: gettext_lazy("A login was accepted"),
    Event.LOGIN_REJECTED: gettext_lazy("A login was rejected"),
    Event.LOGIN_ENDED: gettext_lazy("A login that waited has ended"),
    Event.CODE_WRONG: gettext_lazy("Wrong digits were entered"),
    Event.LOGOUT: gettext_lazy("Logged out"),
    Event.SESSION_ENDED: gettext_lazy("A session was ended"),
    Event.PASSWORD_CHANGED: gettext_lazy("The PBX password was changed"),
    Event.USER_CHANGED: gettext_lazy("The account was changed"),
    Event.FACTOR_ADDED: gettext_lazy(
        "A passkey, app or set of recovery codes was added"
    ),
    Event.FACTOR_REMOVED: gettext_lazy(
        "A passkey, app or set of recovery codes was removed"
    ),
    Event.FACTOR_APPROVED: gettext_lazy(
        "A passkey, app or set of recovery codes was approved, and counts"
    ),
    Event.IDENTITY_BOUND: gettext_lazy("An account for OAuth2 logins was connected"),
    Event.IDENTITY_UNBOUND: gettext_lazy(
        "An account for OAuth2 logins was disconnected"
    ),
    Event.RESCUED: gettext_lazy("A rescue link was made on the server"),
}
# Events that the owner should look at twice.
WARNINGS = {
    Event.LOGIN_FAILED,
    Event.LOGIN_REFUSED,
    Event.LOGIN_REJECTED,
    Event.CODE_WRONG,
    Event.RESCUED,
}
DETAILS = {
    **dict(Approver.choices),
    **dict(Ending.choices),
    PASSWORD_CHANGE: gettext_lazy("when changing the password"),
}


@dataclass(frozen=True)
class PastEvent:
    text: str
    facts: list[str]
    at: datetime
    is_warning: bool


def events_of(user: PbxUser, most: int = MOST_EVENTS) -> list[PastEvent]:
    events = AuditEvent.objects.filter(user=user, event__in=TEXTS)
    newest = events.select_related("actor").order_by("-at", "-pk")
    return [_in_words(event, user) for event in newest[:most]]


def _in_words(event: AuditEvent, user: PbxUser) -> PastEvent:
    return PastEvent(
        text=str(TEXTS[event.event]),
        facts=[fact for fact in _facts(event, user) if fact],
        at=event.at,
        is_warning=event.event in WARNINGS,
    )


def _facts(event: AuditEvent, user: PbxUser) -> list[str]:
    by_another = event.actor_id and event.actor_id != user.pk
    return [
        _("by an administrator") if by_another else "",
        event.get_kind_display(),
        event.get_method_display(),
        str(DETAILS.get(event.detail, "")),
        browser_text(event.user_agent) if event.user_agent else "",
        event.address or "",
    ]
