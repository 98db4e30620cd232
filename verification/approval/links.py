"""Which login a link means, and what became of it."""

from __future__ import annotations

from django.db.models import F

from verification.approval.choices import Ending, LoginState
from verification.approval.models import LoginSession
from verification.approval.tokens import read_ending_token, read_link_token

TOLD = (
    Ending.WRONG_CODES,
    Ending.REJECTED,
    Ending.SUPERSEDED,
    Ending.CLIENT_GONE,
    Ending.NEW_ADDRESS,
)


def find_by_link(token: str) -> LoginSession | None:
    """Return the pending login of its newest link; None if forged, used or over."""
    found = read_link_token(token)
    if found is None:
        return None
    public_id, number = found
    pending = LoginSession.objects.pending().select_related("user")
    return pending.filter(
        public_id=public_id,
        link_number=number,
        user__is_active=True,
        # A link that went to an earlier address of the user is somebody else's.
        mails__link_number=number,
        mails__mail__recipient=F("user__email"),
    ).first()


def find_rejected(token: str) -> LoginSession | None:
    public_id = read_ending_token(token)
    if public_id is None:
        return None
    rejected = LoginSession.objects.filter(ending=Ending.REJECTED, public_id=public_id)
    return rejected.select_related("user").filter(user__is_active=True).first()


def ending_by_link(token: str) -> str:
    """Return what became of the login of a link: an ending, or "accepted".

    The empty text if nothing is known that its holder may hear.
    """
    found = read_link_token(token)
    login = LoginSession.objects.filter(public_id=found[0]).first() if found else None
    if login is None:
        return ""
    if login.state in (LoginState.ACCEPTED, LoginState.COMPLETED):
        return LoginState.ACCEPTED
    return login.ending if login.ending in TOLD else ""
