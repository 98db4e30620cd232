"""Who works on which mail: every step of a row through the queue, always guarded.

`attempts` is the fencing number: whoever lost his lease finds that his number is no
longer the row's, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from authconfig.choices import Event
from authconfig.users import audit
from authconfig.users.models import AuditEvent
from verification.mail import kinds
from verification.mail.choices import MailPriority, MailState
from verification.mail.models import OutgoingEmail

# What one sweep ends at most; the next one comes soon.
SWEEP_SIZE = 1000
# Every quarter of an hour for five days, by so many times the usual number.
TRIES_OF_DAYS = 64
# The statements that every mail takes: Django's own cost several times as much.
NOTE_DATA_BEGINS = f"""
UPDATE {OutgoingEmail._meta.db_table} SET data_began_at = %s
WHERE id = %s AND attempts = %s AND state = '{MailState.SENDING}'
AND lease_expires_at > %s
"""  # noqa: S608  # names and constants of ours
# PostgreSQL's alone: many mails, with their lines in the audit log, in one go. Not by
# "state =", for which the server would rather read through the index of states, with
# all that was being sent there since its last vacuum.
WRITTEN = f"""
WITH written AS (
  UPDATE {OutgoingEmail._meta.db_table} AS mail SET
    state = CASE WHEN is_sent THEN '{MailState.SENT}' ELSE mail.state END,
    data_began_at = CASE WHEN is_sent THEN mail.data_began_at ELSE new.at END,
    ended_at = CASE WHEN is_sent THEN new.at END,
    stage = CASE WHEN is_sent THEN '' ELSE mail.stage END,
    fault = CASE WHEN is_sent THEN '' ELSE mail.fault END,
    code = CASE WHEN is_sent THEN 250 ELSE mail.code END,
    words = CASE WHEN is_sent THEN new.words ELSE mail.words END
  FROM (VALUES %s) AS new (id, attempts, is_sent, at, words, user_name)
  WHERE mail.id = new.id AND mail.attempts = new.attempts
    AND mail.state IS NOT DISTINCT FROM '{MailState.SENDING}'
    AND (is_sent OR mail.lease_expires_at > new.at)
  RETURNING mail.id, kind, user_id, is_sent, at, new.words, user_name
), told AS (
  INSERT INTO {AuditEvent._meta.db_table}
    (at, event, user_id, user_name, client, method, user_agent, detail, proof)
  SELECT at, '{Event.MAIL_SENT}', user_id, user_name, '', '', '',
    kind || ' ' || id || ': {MailState.SENT} ' || words, ''
  FROM written WHERE is_sent
)
SELECT id FROM written WHERE NOT is_sent
"""  # noqa: S608
WRITTEN_ROW = "(%s, %s, %s, %s::timestamptz, %s, %s)"
ACCEPTED = {"stage": "", "fault": "", "code": 250}


class LostClaimError(RuntimeError):
    """The lease ran out, and somebody else has the mail now."""


@dataclass(frozen=True)
class Sent:
    """A mail that the server took, with its words."""

    mail: OutgoingEmail
    words: str
    at: datetime


def claim(count: int) -> list[OutgoingEmail]:
    """Take what is due, the most urgent first; nobody else has it until the lease ends.

    Rows that another worker is taking at this moment are not waited for.
    """
    now = timezone.now()
    with transaction.atomic():
        due = OutgoingEmail.objects.claimable().order_by("priority", "due_at")
        locked = due.select_for_update(skip_locked=True, of=("self",))
        mails = list(locked.select_related("user", *kinds.related())[:count])
        if not mails:
            return []
        claimed = OutgoingEmail.objects.filter(
            pk__in=[mail.pk for mail in mails], state=MailState.QUEUED
        )
        values = {"state": MailState.SENDING, "lease_expires_at": _lease(now)}
        claimed.update(attempts=F("attempts") + 1, data_began_at=None, **values)
    for mail in mails:
        mail.attempts += 1
        mail.state, mail.data_began_at = MailState.SENDING, None
    return mails


def _lease(now: datetime) -> datetime:
    return now + settings.MAIL_LEASE_TTL


def renew(mails: Iterable[OutgoingEmail]) -> None:
    """Say that their worker lives.

    One by one: who holds a single row's lock waits for nobody who waits for it.
    """
    lease = _lease(timezone.now())
    for mail in mails:
        change(mail, lease_expires_at=lease)


def write_down(beginning: Sequence[OutgoingEmail], sent: Sequence[Sent]) -> set[int]:
    """Note whose content begins, and what the server took, unless the claim was lost.

    From its beginning on a lost worker leaves it unknown whether a mail went out.
    Return the keys of those that may begin: they are still ours.
    """
    now = timezone.now()
    if connection.vendor == "postgresql" and (sent or len(beginning) > 1):
        begun = _write_at_once(beginning, sent, now)
    else:
        for one in sent:
            end(one.mail, MailState.SENT, at=one.at, **ACCEPTED, words=one.words)
        begun = {mail.pk for mail in beginning if _note_data_begins(mail, now)}
    for mail in beginning:
        if mail.pk in begun:
            mail.data_began_at = now
    return begun


def _note_data_begins(mail: OutgoingEmail, now: datetime) -> bool:
    at = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        cursor.execute(NOTE_DATA_BEGINS, [at, mail.pk, mail.attempts, at])
        return bool(cursor.rowcount == 1)


def _write_at_once(
    beginning: Sequence[OutgoingEmail], sent: Sequence[Sent], now: datetime
) -> set[int]:
    values = list[Any]()
    for one in sent:
        mail = one.mail
        values += mail.pk, mail.attempts, True, one.at, one.words, mail.user.name
    for mail in beginning:
        values += mail.pk, mail.attempts, False, now, "", ""
    rows = ", ".join([WRITTEN_ROW] * (len(sent) + len(beginning)))
    with connection.cursor() as cursor:
        cursor.execute(WRITTEN % rows, values)
        return {key for (key,) in cursor.fetchall()}


def _detail(mail: OutgoingEmail, state: MailState, words: object) -> str:
    return f"{mail.kind} {mail.pk}: {state} {words}".strip()


def end(
    mail: OutgoingEmail,
    state: MailState,
    *,
    at: datetime | None = None,
    **facts: Any,
) -> bool:
    if not change(mail, state=state, ended_at=at or timezone.now(), **facts):
        return False
    sent = state == MailState.SENT
    audit.record(
        Event.MAIL_SENT if sent else Event.MAIL_FAILED,
        user=mail.user,
        detail=_detail(mail, state, facts.get("words", "")),
    )
    return True


def delay(mail: OutgoingEmail, due_at: datetime, **facts: Any) -> None:
    if change(mail, state=MailState.QUEUED, due_at=due_at, **facts):
        audit.record(
            Event.MAIL_DELAYED,
            user=mail.user,
            detail=f"{mail.kind} {mail.pk}: {facts['stage']} {facts['words']}",
        )


def end_in_doubt(mail: OutgoingEmail, **facts: Any) -> None:
    """Nobody knows whether the server took it.

    A mail that nobody minds to get twice goes once more, with the same Message-ID.
    """
    doubts = mail.doubts + 1
    if kinds.kind_of(mail).is_harmless_twice and not mail.doubts:
        change(mail, state=MailState.QUEUED, doubts=doubts, **facts)
    else:
        end(mail, MailState.UNKNOWN, doubts=doubts, **facts)


def change(mail: OutgoingEmail, **values: Any) -> bool:
    """Change the row if it is still as it was read."""
    rows = OutgoingEmail.objects.filter(
        pk=mail.pk, state=mail.state, attempts=mail.attempts
    )
    return rows.update(**values) == 1


def requeue_abandoned() -> int:
    """Take back mails of dead workers; those whose DATA had begun stay in doubt.

    A mail that kills its worker would do so for ever: its tries are counted too, of a
    recording those of days.
    """
    now, limit = timezone.now(), settings.MAIL_MAX_ATTEMPTS
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
        ended_at__lt=timezone.now() - settings.MAIL_RETENTION_TTL
    )
    forgotten = 0
    # In small steps, so that no worker waits for the table.
    oldest = old.order_by("ended_at").values_list("pk", flat=True)
    while pks := list(oldest[:SWEEP_SIZE]):
        forgotten += OutgoingEmail.objects.filter(pk__in=pks).delete()[0]
    return forgotten
