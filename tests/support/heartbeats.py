"""Which of the workers and the scheduler say nothing."""

from __future__ import annotations

from django.utils import timezone

from verification.mail.choices import Part
from verification.mail.models import Heartbeat
from verification.mail.operation.heartbeat import SILENCE


def silent_parts() -> set[Part]:
    alive = Heartbeat.objects.filter(seen_at__gt=timezone.now() - SILENCE)
    found = set(alive.values_list("kind", flat=True))
    return {Part.WORKER, Part.SCHEDULER} - found
