"""Writing to the audit log."""

from __future__ import annotations

from typing import Any

from authconfig.choices import Event, Origin
from authconfig.models import AuditEvent, PbxUser

NOWHERE = Origin()


def record(
    event: Event, *, user: PbxUser | None, origin: Origin = NOWHERE, **facts: Any
) -> AuditEvent:
    """Add an event; `facts` are the fields actor, client, method, detail, user_name."""
    name = facts.pop("user_name", user.name if user else "")
    return AuditEvent.objects.create(
        event=event,
        user=user,
        user_name=name[:150],
        address=origin.address or None,
        user_agent=origin.user_agent[:200],
        **facts,
    )
