"""What operators do with the outgoing queue; each act has a line in the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from authconfig.choices import Event, Origin
from authconfig.network import database_now
from authconfig.users import audit
from authconfig.users.models import PbxUser
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail, OutgoingEmailQuerySet, SendingPause
from verification.mail.sending import wake_due


@dataclass(frozen=True)
class Operator:
    user: PbxUser
    origin: Origin


def retry(mails: OutgoingEmailQuerySet, operator: Operator) -> int:
    fresh = {"state": MailState.QUEUED, "due_at": database_now(), "ended_at": None}
    with transaction.atomic():
        pks = _move(mails.retryable(), Event.MAIL_RETRIED, operator, fresh)
        transaction.on_commit(wake_due)
    return len(pks)


def cancel(mails: OutgoingEmailQuerySet, operator: Operator) -> int:
    words = _("Cancelled by an operator.")
    ended = {"state": MailState.EXPIRED, "ended_at": database_now(), "words": words}
    with transaction.atomic():
        queued = mails.filter(state=MailState.QUEUED)
        return len(_move(queued, Event.MAIL_CANCELLED, operator, ended))


def _move(
    mails: OutgoingEmailQuerySet,
    event: Event,
    operator: Operator,
    values: dict[str, Any],
) -> list[int]:
    locked = mails.order_by("pk").select_for_update(of=("self",))
    found = list(locked.select_related("user"))
    pks = [mail.pk for mail in found]
    OutgoingEmail.objects.filter(pk__in=pks).update(**values)
    details = [(mail.user, f"{mail.kind} {mail.pk}") for mail in found]
    audit.record_many(event, details, actor=operator.user, origin=operator.origin)
    return pks


def pause(operator: Operator) -> bool:
    with transaction.atomic():
        _row, is_new = SendingPause.objects.get_or_create(
            pk=1, defaults={"actor": operator.user}
        )
        if is_new:
            _record(Event.SENDING_PAUSED, operator)
    return is_new


def resume(operator: Operator) -> bool:
    with transaction.atomic():
        count, _rows = SendingPause.objects.all().delete()
        if count:
            _record(Event.SENDING_RESUMED, operator)
            transaction.on_commit(wake_due)
    return bool(count)


def _record(event: Event, operator: Operator) -> None:
    audit.record(event, user=None, actor=operator.user, origin=operator.origin)


def current_pause() -> SendingPause | None:
    return SendingPause.objects.select_related("actor").first()
