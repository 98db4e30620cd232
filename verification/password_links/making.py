"""Writing the mails with links, which a worker does: of many users at once, too.

Each batch is one transaction. So a worker that is killed has written a mail and bound
its link, or neither; the next one goes on there.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from operator import attrgetter

from celery import shared_task
from django.db import transaction
from django.db.models import Q
from django.dispatch import receiver
from django.utils import timezone, translation

from authconfig.choices import Event, Method, Origin
from authconfig.clients.choices import Kind
from authconfig.models import AuthenticationSettings, current_rules
from authconfig.policy import mailbox_is_one_factor, offers_new_password, uses
from authconfig.users import audit
from authconfig.users.changes import sessions_ended
from authconfig.users.models import PbxUser
from verification.approval.flows import has_approving_session
from verification.mail.models import OutgoingEmail
from verification.mail.queue import enqueue_notice
from verification.mail.sending import wake_due
from verification.password_links.choices import LinkEnding, Purpose
from verification.password_links.mails import FORGOTTEN, INVITATION, NO_LINK
from verification.password_links.models import (
    ForgottenRequest,
    InvitationRun,
    LinkMail,
    PasswordLink,
)
from verification.redis_access import wake_worker
from verification.sessions import factors

BATCH_SIZE = 100
KIND_OF = {Purpose.INVITATION: INVITATION, Purpose.FORGOTTEN: FORGOTTEN}


@shared_task
def make_links() -> None:
    make_all()


# Have what waits written now, by any worker that is free.
wake_making = partial(wake_worker, make_links)


def make_all() -> None:
    while answer_requests():
        pass
    while make_batch():
        pass


def lasts(purpose: str, rules: AuthenticationSettings) -> timedelta:
    if purpose == Purpose.INVITATION:
        return timedelta(hours=rules.invitation_hours)
    return timedelta(minutes=rules.forgotten_password_minutes)


def is_offered(rules: AuthenticationSettings) -> bool:
    """Is there a login page that offers a new password?"""
    return any(offers_new_password(rules, kind) for kind in Kind)


def may_have(user: PbxUser, purpose: str, rules: AuthenticationSettings) -> bool:
    """May this user have a link?

    Who has no PBX password logs in by Netlogon or OAuth2, and has forgotten none here.
    """
    if not (user.is_active and user.email and uses(rules, Method.PASSWORD)):
        return False
    if purpose == Purpose.INVITATION:
        return True
    return is_offered(rules) and user.has_usable_password()


@transaction.atomic
def make_batch() -> bool:
    """Write the mails of some links that wait for theirs; were there any?"""
    waiting = PasswordLink.objects.waiting().select_for_update(skip_locked=True)
    links = list(waiting.order_by("pk")[:BATCH_SIZE])
    users = PbxUser.objects.in_bulk({link.user_id for link in links})
    runs = InvitationRun.objects.in_bulk({link.run_id for link in links if link.run_id})
    for link in links:
        link.user = users[link.user_id]
        link.run = runs.get(link.run_id or 0)
    bound = [link for link in links if _bind(link)]
    _write_mails(bound)
    _record(bound)
    return bool(links)


def _bind(link: PasswordLink) -> bool:
    """Let a link begin, for the address and the password of this moment."""
    rules, now = current_rules(), timezone.now()
    row = PasswordLink.objects.waiting().filter(pk=link.pk)
    if not may_have(link.user, link.purpose, rules):
        row.update(over_at=now, ending=LinkEnding.VOID)
        return False
    link.expires_at = now + lasts(link.purpose, rules)
    link.address = link.user.email
    bound = row.update(
        expires_at=link.expires_at,
        address=link.address,
        auth_hash=link.user.get_session_auth_hash(),
    )
    return bound == 1


def _record(links: list[PasswordLink]) -> None:
    """Note in the audit log who was invited, by whom and from where."""
    for run, own in groupby(links, key=attrgetter("run")):
        audit.record_many(
            Event.INVITED,
            [(link.user, "") for link in own],
            actor=run.actor,
            origin=Origin(run.address or "", run.user_agent),
        )


def _write_mails(links: list[PasswordLink]) -> None:
    mails = OutgoingEmail.objects.bulk_create(_mail(link) for link in links)
    LinkMail.objects.bulk_create(
        LinkMail(mail=mail, link=link) for mail, link in zip(mails, links, strict=True)
    )
    if links:
        transaction.on_commit(wake_due)


def _mail(link: PasswordLink) -> OutgoingEmail:
    kind = KIND_OF[Purpose(link.purpose)]
    language = link.run.language if link.run else translation.get_language()
    assert link.expires_at
    return OutgoingEmail(
        kind=kind.name,
        priority=kind.priority,
        user=link.user,
        recipient=link.address,
        language=link.user.language or language or "en",
        expires_at=link.expires_at,
    )


@transaction.atomic
def answer_requests() -> bool:
    """Answer some of those who asked for a link; were there any?"""
    asked = ForgottenRequest.objects.select_for_update(skip_locked=True, of=("self",))
    requests = list(asked.order_by("pk")[:BATCH_SIZE])
    ForgottenRequest.objects.filter(pk__in=[each.pk for each in requests]).delete()
    for request in requests:
        user = PbxUser.objects.filter(pk=request.user_id or 0).first()
        if user and may_have(user, Purpose.FORGOTTEN, current_rules()):
            with translation.override(user.language or request.language):
                _answer(user)
    return bool(requests)


def _answer(user: PbxUser) -> None:
    """Send a link, unless the login after it could be confirmed by nothing."""
    if mailbox_is_one_factor(current_rules()) and not can_confirm_otherwise(user):
        enqueue_notice(NO_LINK, user, language=translation.get_language() or "en")
        return
    close_links([user.pk], LinkEnding.NEWER, purpose=Purpose.FORGOTTEN)
    link = PasswordLink.objects.create(user=user, purpose=Purpose.FORGOTTEN)
    if _bind(link):
        _write_mails([link])


def can_confirm_otherwise(user: PbxUser) -> bool:
    """Is there a second factor that counts, or a session that approves logins?"""
    return factors.proving(user).exists() or has_approving_session(user)


def close_links(user_pks: Iterable[int], ending: LinkEnding, **only: Purpose) -> None:
    links = PasswordLink.objects.unfinished().filter(user__in=list(user_pks), **only)
    links.update(over_at=timezone.now(), ending=ending)


@receiver(sessions_ended)
def void_links(users: Iterable[PbxUser], **_: object) -> None:
    """End the links of users who are deactivated, and all that somebody asked for.

    An invitation outlasts sessions that end: the administrator wants it to be used.
    """
    ended = list(users)
    close_links([user.pk for user in ended], LinkEnding.VOID, purpose=Purpose.FORGOTTEN)
    close_links([user.pk for user in ended if not user.is_active], LinkEnding.VOID)


def forget_old(before: datetime) -> None:
    """Forget links that are over, and the runs that have none left."""
    old = PasswordLink.objects.filter(made_at__lt=before)
    old.filter(~Q(over_at=None) | Q(expires_at__lt=timezone.now())).delete()
