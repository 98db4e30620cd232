"""Who works on which mail: every step of a row through the queue, always guarded.

`attempts` is the fencing number: a worker that lost its lease finds that the row has
another number by now, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, Q, QuerySet
from django.utils.translation import gettext as _

from authconfig.choices import Event
from authconfig.network import database_now
from authconfig.users import audit
from verification.mail import kinds
from verification.mail.choices import MailPriority, MailState
from verification.mail.models import OutgoingEmail, SendingPause

# One sweep ends at most so many mails; the next one comes soon.
SWEEP_SIZE = 1000
# A recording that is tried each quarter of an hour for five days has so many times the
# usual number of tries.
TRIES_OF_DAYS = 64
# What the row says of a mail that the server took, with the server's words.
ACCEPTED = {"stage": "", "fault": "", "code": 250}


class LostClaimError(RuntimeError):
    """The lease ran out, and another worker may have the mail now."""


def due() -> QuerySet[OutgoingEmail]:
    return OutgoingEmail.objects.filter(
        state=MailState.QUEUED, due_at__lte=database_now()
    )


def claimable() -> QuerySet[OutgoingEmail]:
    """Due, and nobody has paused the sending."""
    return due().filter(~Exists(SendingPause.objects.all()))


def claim(
    count: int, *, but: Collection[int] = (), **only: MailPriority
) -> list[OutgoingEmail]:
    """Take due mails, the most urgent first; until their leases end they are ours.

    Rows that another worker is taking at this moment are left to it. `but` are the
    primary keys of mails that must not be taken.
    """
    now = database_now()
    with transaction.atomic():
        wanted = claimable().exclude(pk__in=but) if but else claimable()
        first = wanted.filter(**only).order_by("priority", "due_at")
        locked = first.select_for_update(skip_locked=True)
        found = dict(locked.values_list("pk", "kind")[:count])
        if not found:
            return []
        claimed = OutgoingEmail.objects.filter(pk__in=found, state=MailState.QUEUED)
        values = {"state": MailState.SENDING, "lease_expires_at": _lease(now)}
        claimed.update(attempts=F("attempts") + 1, data_began_at=None, **values)
        return _read(found)


def _read(found: dict[int, str]) -> list[OutgoingEmail]:
    """Read mails, given with their kinds and in this order, with what belongs to them.

    The tables of a kind are read for its own mails alone: to join those of every kind
    would cost each mail as much as all else in the claim.
    """
    mails: dict[int, OutgoingEmail] = {}
    for kind in set(found.values()):
        pks = [pk for pk, its_kind in found.items() if its_kind == kind]
        rows = OutgoingEmail.objects.filter(pk__in=pks).order_by()
        rows = rows.select_related("user", *kinds.related(kind))
        mails |= {mail.pk: mail for mail in rows}
    return [mails[pk] for pk in found]


def _lease(now: datetime) -> datetime:
    return now + settings.MAIL_LEASE_TTL


def renew(mails: Iterable[OutgoingEmail]) -> None:
    """Prolong the leases, since the worker lives.

    It changes one row at a time: holding one lock and waiting for another could end in
    a deadlock.
    """
    lease = _lease(database_now())
    for mail in mails:
        change(mail, lease_expires_at=lease)


def _detail(mail: OutgoingEmail, state: MailState, words: object) -> str:
    return f"{mail.kind} {mail.pk}: {state} {words}".strip()


def end(mail: OutgoingEmail, state: MailState, **facts: Any) -> bool:
    """End a mail that did not go out, or of which nobody knows."""
    if not change(mail, state=state, ended_at=database_now(), **facts):
        return False
    detail = _detail(mail, state, facts.get("words", ""))
    audit.record(Event.MAIL_FAILED, user=mail.user, detail=detail)
    return True


def note_sent(mail: OutgoingEmail, words: str, at: datetime) -> bool:
    """Record that the server took the mail, whatever its row says by now.

    While it could not be recorded, a sweep may have given the mail up. Until somebody
    else claims it, its number of tries is that of the worker who knows.
    """
    ours = OutgoingEmail.objects.filter(pk=mail.pk, attempts=mail.attempts)
    facts = ACCEPTED | {"words": words, "state": MailState.SENT, "ended_at": at}
    if not ours.exclude(state=MailState.SENT).update(**facts):
        return False
    detail = _detail(mail, MailState.SENT, words)
    audit.record(Event.MAIL_SENT, user=mail.user, detail=detail)
    return True


def delay(mail: OutgoingEmail, due_at: datetime, **facts: Any) -> None:
    if change(mail, state=MailState.QUEUED, due_at=due_at, **facts):
        audit.record(
            Event.MAIL_DELAYED,
            user=mail.user,
            detail=f"{mail.kind} {mail.pk}: {facts['stage']} {facts['words']}",
        )


def give_back(mail: OutgoingEmail, **facts: Any) -> None:
    """Put a claimed mail back as if it had not been tried.

    Its number may be given out again: whoever gives it back does no more with it.
    """
    change(mail, state=MailState.QUEUED, attempts=F("attempts") - 1, **facts)


def end_in_doubt(mail: OutgoingEmail, **facts: Any) -> None:
    """Note that nobody knows whether the server took the mail.

    A mail that nobody minds to get twice goes once more, with the same Message-ID.
    """
    doubts = mail.doubts + 1
    if kinds.kind_of(mail).is_harmless_twice and not mail.doubts:
        change(mail, state=MailState.QUEUED, doubts=doubts, **facts)
    else:
        end(mail, MailState.UNKNOWN, doubts=doubts, **facts)


def change(mail: OutgoingEmail, **values: Any) -> bool:
    rows = OutgoingEmail.objects.filter(
        pk=mail.pk, state=mail.state, attempts=mail.attempts
    )
    return rows.update(**values) == 1


def requeue_abandoned() -> int:
    """Take back the mails of dead workers; those whose DATA had begun stay in doubt.

    The tries are counted here too, or a mail that kills its worker would do so for
    ever.
    """
    now, limit = database_now(), settings.MAIL_MAX_ATTEMPTS
    is_used_up = Q(attempts__gte=limit, priority=MailPriority.URGENT) | Q(
        attempts__gte=limit * TRIES_OF_DAYS
    )
    abandoned = OutgoingEmail.objects.abandoned()
    for mail in _some(abandoned.filter(data_began_at__isnull=False)):
        end_in_doubt(mail)
    unsent = abandoned.filter(data_began_at=None)
    _end_all(unsent.filter(expires_at__lte=now), MailState.EXPIRED)
    words = _("No worker came back from sending it; %(count)d tried.")
    used_up = unsent.filter(is_used_up, expires_at__gt=now)
    _end_all(used_up, MailState.FAILED, words=words % {"count": limit})
    in_time = unsent.filter(~is_used_up, expires_at__gt=now)
    return in_time.update(state=MailState.QUEUED, due_at=now)


def expire_overdue() -> int:
    return _end_all(OutgoingEmail.objects.overdue(), MailState.EXPIRED)


def _end_all(mails: QuerySet[OutgoingEmail], state: MailState, **facts: Any) -> int:
    return sum(end(mail, state, **facts) for mail in _some(mails))


def _some(mails: QuerySet[OutgoingEmail]) -> QuerySet[OutgoingEmail]:
    return mails.order_by().select_related("user")[:SWEEP_SIZE]


def forget_old() -> int:
    """Delete mails that ended longer ago than they are kept; 0 days keeps all."""
    if not settings.MAIL_RETENTION_TTL:
        return 0
    old = OutgoingEmail.objects.filter(
        ended_at__lt=database_now() - settings.MAIL_RETENTION_TTL
    )
    forgotten = 0
    # Small steps, so that no worker waits for the table.
    oldest = old.order_by("ended_at").values_list("pk", flat=True)
    while pks := list(oldest[:SWEEP_SIZE]):
        forgotten += OutgoingEmail.objects.filter(pk__in=pks).delete()[0]
    return forgotten
