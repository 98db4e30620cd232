"""What can happen to a login: the only code that changes a LoginSession."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.dispatch import receiver
from django.utils import timezone

from authconfig.choices import Event, Origin
from authconfig.clients.choices import Kind
from authconfig.models import current_rules
from authconfig.users import audit
from authconfig.users.changes import addresses_changed, sessions_ended
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
)
from verification.mail.models import OutgoingEmail
from verification.mail.queue import enqueue
from verification.redis_access import announce_login
from verification.sessions import factors
from verification.sessions.choices import Approver, Source
from verification.sessions.lifecycle import (
    approving_sessions,
    known_addresses,
    mailbox_approves,
    network_of,
    source_of,
)

logger = logging.getLogger(__name__)
MAX_CODE_TRIES = 3
MAX_LINKS = 4
RESEND_DELAY = timedelta(seconds=30)


def has_approving_session(user: PbxUser) -> bool:
    return approving_sessions().filter(user=user).exists()


def can_be_approved(user: PbxUser, kind: Kind, method: str) -> bool:
    """Is there a way, by e-mail or by session? Of myPBX nothing waits for one."""
    by_mail = mailbox_approves(user, method) and current_rules().verification_link
    return kind is Kind.MYAPPS and (bool(by_mail) or has_approving_session(user))


def is_known(user: PbxUser, address: str) -> bool:
    return source_of(user.name_key, address, Kind.MYAPPS) is Source.KNOWN


def wait_after_rejections(user: PbxUser, address: str) -> timedelta | None:
    """Return what is left of the wait after the user's rejections, if anything.

    A known address of the user never waits. So a stranger's tries keep the owner out of
    nothing there.
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
    logins = LoginSession.objects.filter(user=user)
    success = logins.filter(state=LoginState.COMPLETED).first()
    since = success.created_at if success else timezone.now() - timedelta(days=1)
    decided = logins.filter(ending=Ending.REJECTED, decided_at__gt=since)
    times = decided.order_by("-decided_at").values_list("decided_at", flat=True)
    return [decided_at for decided_at in times if decided_at]


def wait_after_many(user: PbxUser, address: str) -> timedelta | None:
    """Return how long no further login becomes pending, if too many did of late.

    A known address counts for itself, as after rejections.
    """
    most, period = settings.LIMIT_HELD_LOGINS
    begun = LoginSession.objects.exclude(state=LoginState.COMPLETED).filter(
        user=user, created_at__gt=timezone.now() - period
    )
    known = set(
        known_addresses(Kind.MYAPPS).filter(user=user).values_list("address", flat=True)
    )
    here = _counted_at(address, known)
    rows = begun.order_by("-created_at").values_list("created_at", "address")
    times = [at for at, source in rows if _counted_at(source, known) == here]
    return times[most - 1] + period - timezone.now() if len(times) >= most else None


def _counted_at(address: str | None, known: set[str]) -> str:
    network = network_of(address or "")
    return network if network in known else ""


def start_login(user: PbxUser, facts: LoginFacts) -> LoginSession | Refusal:
    """Make a login pending whose first factor was right.

    It writes the login and its mail, or neither.
    """
    if _nobody_approves(user, facts):
        return _refuse(user, facts, _no_way(user, facts))
    wait = wait_after_rejections(user, facts.origin.address)
    if wait:
        return _refuse(user, facts, Refusal(wait))
    with transaction.atomic():
        # Logins of a user begin one after the other, so that one is pending at most.
        PbxUser.objects.select_for_update().get(pk=user.pk)
        wait = wait_after_many(user, facts.origin.address)
        if wait:
            return _refuse(user, facts, Refusal(wait, too_many=True))
        for older in LoginSession.objects.filter(user=user, state=LoginState.PENDING):
            _reject(older, Ending.SUPERSEDED)
        login = _insert(user, facts)
        if not facts.used_up or _has_mail(login):
            _queue_link(login)
        transaction.on_commit(partial(announce_login, login.public_id, login.user_id))
    _record(Event.LOGIN_HELD, login, facts.origin)
    return login


def _nobody_approves(user: PbxUser, facts: LoginFacts) -> bool:
    """Two-factor authentication, while it is on, has a verification link."""
    if facts.used_up:
        return not can_be_approved(user, facts.kind, facts.method)
    by_mail = mailbox_approves(user, facts.method)
    return not by_mail and not has_approving_session(user)


def _no_way(user: PbxUser, facts: LoginFacts) -> Refusal:
    after_reset = bool(user.email) and not mailbox_approves(user, facts.method)
    return Refusal(used_up=facts.used_up and not after_reset, after_reset=after_reset)


def _refuse(user: PbxUser, facts: LoginFacts, refusal: Refusal) -> Refusal:
    audit.record(
        Event.LOGIN_REFUSED,
        user=user,
        origin=facts.origin,
        kind=facts.kind,
        method=facts.method,
        detail=refusal.reason,
    )
    return refusal


def _insert(user: PbxUser, facts: LoginFacts) -> LoginSession:
    now = timezone.now()
    return LoginSession.objects.create(
        user=user,
        kind=facts.kind,
        method=facts.method,
        address=facts.origin.address or None,
        user_agent=facts.origin.user_agent,
        language=user.language or facts.language,
        factor=facts.factor,
        auth_hash=user.get_session_auth_hash(),
        created_at=now,
        expires_at=now + settings.LOGIN_SESSION_TTL,
    )


def _queue_link(login: LoginSession) -> None:
    if not mailbox_approves(login.user, login.method):
        return
    mail = enqueue(
        APPROVAL, login.user, language=login.language, expires_at=login.expires_at
    )
    LoginMail.objects.create(mail=mail, login=login, link_number=login.link_number)


def accept(
    login: LoginSession, code: str, *, approver: Approver, origin: Origin
) -> Outcome:
    """Accept a pending login with the code of its waiting page.

    The try is counted before the code is compared: guesses at the same time get no more
    than three.
    """
    tried = (
        LoginSession.objects.pending()
        .filter(pk=login.pk, code_tries__lt=MAX_CODE_TRIES)
        .update(code_tries=F("code_tries") + 1)
    )
    if not tried:
        return Outcome.OVER
    if not is_approval_code(login, code):
        return _after_wrong_code(login, origin)
    return accept_compared(login, approver=approver, origin=origin)


def accept_compared(
    login: LoginSession, *, approver: Approver, origin: Origin
) -> Outcome:
    """Accept without a code, which the user has compared on two screens."""
    return _decided(login, LoginState.ACCEPTED, "", approver, origin)


def _after_wrong_code(login: LoginSession, origin: Origin) -> Outcome:
    _record(Event.CODE_WRONG, login, origin)
    login.refresh_from_db(fields=["code_tries"])
    if login.code_tries < MAX_CODE_TRIES:
        return Outcome.WRONG_CODE
    if _reject(login, Ending.WRONG_CODES):
        _record(Event.LOGIN_ENDED, login, origin, detail=Ending.WRONG_CODES)
    return Outcome.ENDED


def tries_left(login: LoginSession) -> int:
    return MAX_CODE_TRIES - login.code_tries


def reject(login: LoginSession, *, approver: Approver, origin: Origin) -> Outcome:
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
    if not _reject(login, Ending.CANCELLED):
        return False
    _record(Event.LOGIN_ENDED, login, origin, detail=Ending.CANCELLED)
    return True


def end_without_client(login: LoginSession) -> bool:
    """End a login, even an accepted one, whose myApps client went away.

    Nothing else than the connection proves that a later one is the same client.
    """
    return _end(login, Ending.CLIENT_GONE)


def end(login: LoginSession, *, actor: PbxUser) -> bool:
    if not _reject(login, Ending.ENDED):
        return False
    audit.record(Event.LOGIN_ENDED, user=login.user, actor=actor, detail=Ending.ENDED)
    return True


@receiver(sessions_ended)
def revoke(users: Iterable[PbxUser], **_: Any) -> int:
    """End the logins of users whose sessions end: else one could still begin."""
    return _end_logins(users, Ending.REVOKED)


@receiver(addresses_changed)
def follow_address(old_addresses: Mapping[PbxUser, str], **_: Any) -> None:
    """End the logins whose link went to an address that is no longer the user's."""
    _end_logins(old_addresses, Ending.NEW_ADDRESS)


def _end_logins(users: Iterable[PbxUser], ending: Ending) -> int:
    logins = LoginSession.objects.unfinished().filter(user__in=list(users))
    return sum(_end(login, ending) for login in logins.select_related("user"))


def _end(login: LoginSession, ending: Ending) -> bool:
    rows = LoginSession.objects.unfinished()
    if not _close(rows, login, LoginState.REJECTED, ending=ending):
        return False
    audit.record(Event.LOGIN_ENDED, user=login.user, detail=ending)
    return True


def resends_left(login: LoginSession) -> int:
    return MAX_LINKS - login.link_number if _has_mail(login) else 0


def _has_mail(login: LoginSession) -> bool:
    """Without a verification link there is nothing that an e-mail could say."""
    by_mail = mailbox_approves(login.user, login.method)
    return bool(by_mail and current_rules().verification_link)


def resend_allowed_at(login: LoginSession, newest: OutgoingEmail | None) -> datetime:
    return (newest.created_at if newest else login.created_at) + RESEND_DELAY


def send_again(login: LoginSession) -> bool:
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
    """Use an accepted login up; return whether its session may begin.

    The user may have been deactivated, or their password changed, while they waited.
    The session has to begin in the same transaction: whoever ends all sessions of the
    user meanwhile would miss it.
    """
    present = PbxUser.objects.select_for_update()
    try:
        user.refresh_from_db(from_queryset=present)
    except PbxUser.DoesNotExist:  # erased, or deleted, meanwhile
        return False
    unchanged = user.is_bound_by(login.auth_hash)
    if login.user_id != user.pk or not user.is_active or not unchanged:
        return False
    accepted = LoginSession.objects.live().filter(
        pk=login.pk, state=LoginState.ACCEPTED
    )
    if not accepted.update(state=LoginState.COMPLETED):
        return False
    if login.factor_id:
        factors.approve(login.factor_id, user=user, approver=login.approver)
    return True


def _move(login: LoginSession, state: LoginState, **values: str) -> bool:
    return _close(LoginSession.objects.pending(), login, state, **values)


def _reject(login: LoginSession, ending: Ending) -> bool:
    """End a login without its user's word, even one that has expired."""
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
        kind=login.kind,
        method=login.method,
        detail=detail,
    )
    named = {"login_id": str(login.public_id)}
    logger.info("user %s: %s %s", login.user_id, event, detail, extra=named)
