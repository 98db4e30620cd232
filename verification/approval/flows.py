"""What can happen to a login session; the only code that changes one."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.dispatch import receiver
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from authconfig.choices import Event, Origin
from authconfig.clients.choices import Kind
from authconfig.users import audit
from authconfig.users.changes import sessions_ended
from authconfig.users.models import PbxUser
from verification.approval.choices import (
    Ending,
    LoginFacts,
    LoginState,
    Outcome,
    Refusal,
)
from verification.approval.mails import (
    APPROVAL,
    expire_mails,
    newest_mail,
    tell_of_rejection,
)
from verification.approval.models import LoginMail, LoginSession
from verification.approval.tokens import (
    is_approval_code,
    read_ending_token,
    read_link_token,
)
from verification.mail.models import OutgoingEmail
from verification.mail.queue import enqueue
from verification.redis_access import announce_login
from verification.sessions.choices import Approver
from verification.sessions.lifecycle import live_sessions

logger = logging.getLogger(__name__)
MAX_CODE_TRIES = 3
MAX_LINKS = 4
RESEND_DELAY = timedelta(seconds=30)


def has_approving_session(user: PbxUser) -> bool:
    """A myPBX session never passed a second factor, so it approves nothing."""
    return _approving_sessions(user).exists()


def _approving_sessions(user: PbxUser) -> QuerySet[UserSession]:
    return live_sessions().filter(user=user, data__client=Kind.MYAPPS)


def is_known(user: PbxUser, address: str) -> bool:
    return bool(address) and _approving_sessions(user).filter(ip=address).exists()


def wait_after_rejections(user: PbxUser, address: str) -> timedelta | None:
    """Return what is left of the wait after the user rejected logins, if anything.

    An address with an approved session of the user never waits, so that a stranger's
    tries keep the owner out of nothing.
    """
    if is_known(user, address):
        return None
    rejected = _rejections_since_success(user)
    if not rejected:
        return None
    waits: list[timedelta] = settings.WAITS_AFTER_REJECTION
    left = rejected[0] + waits[min(len(rejected), len(waits)) - 1] - timezone.now()
    return left if left > timedelta() else None


def _rejections_since_success(user: PbxUser) -> list[datetime]:
    """Newest first; only the user's own rejections, not wrong codes, count."""
    logins = LoginSession.objects.filter(user=user)
    success = logins.filter(state=LoginState.COMPLETED).first()
    since = success.created_at if success else timezone.now() - timedelta(days=1)
    decided = logins.filter(ending=Ending.REJECTED, decided_at__gt=since)
    times = decided.order_by("-decided_at").values_list("decided_at", flat=True)
    return [decided_at for decided_at in times if decided_at]


def wait_after_many(user: PbxUser, address: str) -> timedelta | None:
    """Return how long no further login is held, if too many were of late.

    Addresses with an approved session count for themselves, as after rejections.
    """
    most, period = settings.LIMIT_HELD_LOGINS
    held = LoginSession.objects.exclude(state=LoginState.COMPLETED).filter(
        user=user, created_at__gt=timezone.now() - period
    )
    if is_known(user, address):
        counted = held.filter(address=address)
    else:
        known = _approving_sessions(user).order_by().values("ip")
        counted = held.exclude(address__in=known)
    newest = counted.order_by("-created_at").values_list("created_at", flat=True)
    times = list(newest[:most])
    return times[-1] + period - timezone.now() if len(times) == most else None


def start_login(user: PbxUser, facts: LoginFacts) -> LoginSession | Refusal:
    """Hold a login whose first factor was right: a session and a mail, or neither."""
    wait = wait_after_rejections(user, facts.origin.address)
    if wait:
        return _refuse(user, facts, Refusal(wait))
    if not user.email and not has_approving_session(user):
        return _refuse(user, facts, Refusal())
    with transaction.atomic():
        # One login after the other: at most one of a user's is pending.
        PbxUser.objects.select_for_update().get(pk=user.pk)
        wait = wait_after_many(user, facts.origin.address)
        if wait:
            return _refuse(user, facts, Refusal(wait, too_many=True))
        for older in LoginSession.objects.filter(user=user, state=LoginState.PENDING):
            _reject(older, Ending.SUPERSEDED)
        login = _insert(user, facts)
        _queue_link(login)
        transaction.on_commit(partial(announce_login, login.public_id, login.user_id))
    _record(Event.LOGIN_HELD, login, facts.origin)
    return login


def _refuse(user: PbxUser, facts: LoginFacts, refusal: Refusal) -> Refusal:
    audit.record(
        Event.LOGIN_REFUSED,
        user=user,
        origin=facts.origin,
        client=facts.client,
        method=facts.method,
        detail=refusal.reason,
    )
    return refusal


def _insert(user: PbxUser, facts: LoginFacts) -> LoginSession:
    now = timezone.now()
    return LoginSession.objects.create(
        user=user,
        client=facts.client,
        method=facts.method,
        address=facts.origin.address or None,
        user_agent=facts.origin.user_agent,
        language=user.language or facts.language,
        auth_hash=user.get_session_auth_hash(),
        created_at=now,
        expires_at=now + settings.LOGIN_SESSION_TTL,
    )


def _queue_link(login: LoginSession) -> None:
    """Queue the e-mail with the login's newest link, if the user has an address."""
    if not login.user.email:
        return
    mail = enqueue(
        APPROVAL, login.user, language=login.language, expires_at=login.expires_at
    )
    LoginMail.objects.create(mail=mail, login=login, link_number=login.link_number)


def find_by_link(token: str) -> LoginSession | None:
    """Return the pending login of the newest link; None if forged, used or over."""
    found = read_link_token(token)
    if found is None:
        return None
    public_id, number = found
    pending = LoginSession.objects.pending().select_related("user")
    return pending.filter(
        public_id=public_id, link_number=number, user__is_active=True
    ).first()


def find_rejected(token: str) -> LoginSession | None:
    """Return the login that the owner of the e-mail link rejected a moment ago."""
    public_id = read_ending_token(token)
    if public_id is None:
        return None
    rejected = LoginSession.objects.filter(ending=Ending.REJECTED, public_id=public_id)
    return rejected.select_related("user").filter(user__is_active=True).first()


def accept(
    login: LoginSession, code: str, *, approver: Approver, origin: Origin
) -> Outcome:
    """Accept a pending login with the code of its waiting page.

    A try is used up before it is looked at, so that guesses at the same time cannot
    get more than three.
    """
    tried = (
        LoginSession.objects.pending()
        .filter(pk=login.pk, code_tries__lt=MAX_CODE_TRIES)
        .update(code_tries=F("code_tries") + 1)
    )
    if not tried:
        return Outcome.OVER
    if not is_approval_code(login, code):
        return _count_wrong_code(login, origin)
    return _decided(login, LoginState.ACCEPTED, "", approver, origin)


def _count_wrong_code(login: LoginSession, origin: Origin) -> Outcome:
    _record(Event.CODE_WRONG, login, origin)
    login.refresh_from_db(fields=["code_tries"])
    if login.code_tries < MAX_CODE_TRIES:
        return Outcome.WRONG_CODE
    if _reject(login, Ending.WRONG_CODES):
        _record(Event.LOGIN_ENDED, login, origin, detail=Ending.WRONG_CODES)
    return Outcome.OVER


def tries_left(login: LoginSession) -> int:
    return MAX_CODE_TRIES - login.code_tries


def reject(login: LoginSession, *, approver: Approver, origin: Origin) -> Outcome:
    """Reject a pending login; the victim of a stranger's login needs no code."""
    return _decided(login, LoginState.REJECTED, Ending.REJECTED, approver, origin)


def _decided(
    login: LoginSession,
    state: LoginState,
    ending: str,
    approver: Approver,
    origin: Origin,
) -> Outcome:
    if not _move(login, state, ending=ending, approver=approver):
        return Outcome.OVER
    accepted = state == LoginState.ACCEPTED
    event = Event.LOGIN_ACCEPTED if accepted else Event.LOGIN_REJECTED
    _record(event, login, origin, detail=approver)
    if not accepted:
        tell_of_rejection(login)
    return Outcome.DECIDED


def cancel(login: LoginSession, *, origin: Origin) -> bool:
    """End a login from the browser that started it."""
    if not _reject(login, Ending.CANCELLED):
        return False
    _record(Event.LOGIN_ENDED, login, origin, detail=Ending.CANCELLED)
    return True


def end(login: LoginSession, *, actor: PbxUser) -> bool:
    """End a waiting login as an administrator."""
    if not _reject(login, Ending.ENDED):
        return False
    audit.record(Event.LOGIN_ENDED, user=login.user, actor=actor, detail=Ending.ENDED)
    return True


@receiver(sessions_ended)
def revoke(users: Iterable[PbxUser], **_: Any) -> int:
    """End all that could still become a session: else one would begin after all."""
    ended = list(users)
    logins = LoginSession.objects.unfinished().filter(user__in=ended)
    return sum(_revoke(login) for login in logins.select_related("user"))


def _revoke(login: LoginSession) -> bool:
    rows = LoginSession.objects.unfinished()
    if not _close(rows, login, LoginState.REJECTED, ending=Ending.REVOKED):
        return False
    audit.record(Event.LOGIN_ENDED, user=login.user, detail=Ending.REVOKED)
    return True


def resends_left(login: LoginSession) -> int:
    return MAX_LINKS - login.link_number if login.user.email else 0


def resend_allowed_at(login: LoginSession, newest: OutgoingEmail | None) -> datetime:
    return (newest.created_at if newest else login.created_at) + RESEND_DELAY


def send_again(login: LoginSession) -> bool:
    """Queue another mail; its link voids the older ones."""
    allowed_at = resend_allowed_at(login, newest_mail(login))
    if resends_left(login) <= 0 or allowed_at > timezone.now():
        return False
    with transaction.atomic():
        moved = (
            LoginSession.objects.pending()
            .filter(pk=login.pk, link_number=login.link_number)
            .update(link_number=F("link_number") + 1)
        )
        if not moved:
            return False
        login.refresh_from_db(fields=["link_number"])
        expire_mails(login)
        _queue_link(login)
    return True


@transaction.atomic
def complete(login: LoginSession, user: PbxUser) -> bool:
    """Use an accepted login, once; nobody else asks these questions again.

    The user may have been deactivated, or his password changed, while he waited. The
    session has to begin in the same transaction, or ending them all could miss it.
    """
    user.refresh_from_db(from_queryset=PbxUser.objects.select_for_update())
    unchanged = constant_time_compare(login.auth_hash, user.get_session_auth_hash())
    if login.user_id != user.pk or not user.is_active or not unchanged:
        return False
    accepted = LoginSession.objects.live().filter(
        pk=login.pk, state=LoginState.ACCEPTED
    )
    return accepted.update(state=LoginState.COMPLETED) == 1


def _move(login: LoginSession, state: LoginState, **values: str) -> bool:
    """Whoever changes the pending row wins; everybody else is told False."""
    return _close(LoginSession.objects.pending(), login, state, **values)


def _reject(login: LoginSession, ending: Ending) -> bool:
    """End a login without its user's word; one that expired may be closed too."""
    rows = LoginSession.objects.filter(state=LoginState.PENDING)
    return _close(rows, login, LoginState.REJECTED, ending=ending)


def _close(
    rows: QuerySet[LoginSession], login: LoginSession, state: LoginState, **values: str
) -> bool:
    decided = rows.filter(pk=login.pk).update(
        state=state, decided_at=timezone.now(), **values
    )
    if not decided:
        return False
    expire_mails(login)
    transaction.on_commit(partial(announce_login, login.public_id, login.user_id))
    return True


def _record(
    event: Event, login: LoginSession, origin: Origin, detail: str = ""
) -> None:
    audit.record(
        event,
        user=login.user,
        origin=origin,
        client=login.client,
        method=login.method,
        detail=detail,
    )
    named = {"login_id": str(login.public_id)}
    logger.info("user %s: %s %s", login.user_id, event, detail, extra=named)
