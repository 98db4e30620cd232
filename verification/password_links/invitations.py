"""Inviting users to set a PBX password: one, or all who have none."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone, translation

from authconfig.bounded_counts import bounded_count
from authconfig.choices import Method, Origin
from authconfig.models import current_rules
from authconfig.policy import uses
from authconfig.users import audit
from authconfig.users.models import PbxUser
from verification.password_links.choices import LinkEnding, Obstacle, Purpose
from verification.password_links.making import close_links, forget_old, wake_making
from verification.password_links.models import (
    InvitationRun,
    PasswordLink,
    Uninvited,
)

# A database takes only so many values in one statement.
STEP = 500
Chosen = tuple[list[PbxUser], list[tuple[PbxUser, Obstacle]]]


def are_possible() -> bool:
    """Nobody is invited to set a password that no login takes."""
    rules = current_rules()
    sends = bool(rules.smtp_server and rules.smtp_email_address)
    return sends and uses(rules, Method.PASSWORD)


def without_password() -> QuerySet[PbxUser]:
    """Return the active users who have no PBX password yet, and no other one here.

    Users from the directory log in with their Windows password where that is allowed.
    """
    active = PbxUser.objects.filter(is_active=True)
    if uses(current_rules(), Method.NETLOGON):
        active = active.filter(synced=None)
    return active.exclude(password__contains="$")  # noqa: S106


def outstanding() -> int:
    """Count the invitations whose links still work, and that nobody has used yet."""
    sent = PasswordLink.objects.open().filter(purpose=Purpose.INVITATION)
    return bounded_count(sent)


def choose(users: Iterable[PbxUser], above: Collection[int] = ()) -> Chosen:
    """Tell those who can be invited from the others; `above` are keys of users."""
    invited, left_out = [], []
    for user in users:
        obstacle = _obstacle(user, above)
        if obstacle:
            left_out.append((user, obstacle))
        else:
            invited.append(user)
    return invited, left_out


def _obstacle(user: PbxUser, above: Collection[int]) -> Obstacle | None:
    if user.pk in above:
        return Obstacle.ABOVE
    if not user.is_active:
        return Obstacle.INACTIVE
    return None if user.email else Obstacle.NO_ADDRESS


@transaction.atomic
def start(
    chosen: Chosen, *, actor: PbxUser | None, origin: Origin = audit.NOWHERE
) -> InvitationRun:
    """Note whom to invite; a worker writes their mails. Older links end."""
    invited, left_out = chosen
    language = translation.get_language() or settings.LANGUAGE_CODE
    run = InvitationRun.objects.create(
        actor=actor,
        address=origin.address or None,
        user_agent=origin.user_agent,
        language=language,
    )
    for at in range(0, len(invited), STEP):
        _note(invited[at : at + STEP], run)
    Uninvited.objects.bulk_create(
        [Uninvited(run=run, user=user, obstacle=why) for user, why in left_out]
    )
    transaction.on_commit(wake_making)
    return run


def _note(users: list[PbxUser], run: InvitationRun) -> None:
    close_links(
        [user.pk for user in users], LinkEnding.NEWER, purpose=Purpose.INVITATION
    )
    links = [
        PasswordLink(user=user, purpose=Purpose.INVITATION, run=run) for user in users
    ]
    # Of two who invite the same user at once, one has done so.
    PasswordLink.objects.bulk_create(links, ignore_conflicts=True)


def forget_old_runs() -> None:
    before = timezone.now() - settings.MAIL_RETENTION_TTL
    if not settings.MAIL_RETENTION_TTL:
        return  # no days: keep all
    forget_old(before)
    links = PasswordLink.objects.filter(run=OuterRef("pk"))
    InvitationRun.objects.filter(~Exists(links), started_at__lt=before).delete()
