"""What became of one mail, by the audit log, which keeps every try."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Q

from authconfig.choices import Event
from authconfig.users.models import AuditEvent
from verification.mail.models import OutgoingEmail

EVENTS = (
    Event.MAIL_SENT,
    Event.MAIL_FAILED,
    Event.MAIL_DELAYED,
    Event.MAIL_RETRIED,
    Event.MAIL_CANCELLED,
)


def mail_history(mail: OutgoingEmail) -> Iterator[tuple[AuditEvent, str]]:
    name = f"{mail.kind} {mail.pk}"
    events = AuditEvent.objects.filter(
        Q(detail=name) | Q(detail__startswith=f"{name}:"),
        user=mail.user_id,
        event__in=EVENTS,
        at__gte=mail.created_at,
    )
    for event in events.select_related("actor").order_by("at", "pk"):
        yield event, event.detail.removeprefix(name).removeprefix(":").strip()
