"""Whether other people's servers answer, kept where every process sees it."""

from __future__ import annotations

import logging
import time

from django.db import DatabaseError, models, transaction
from django.db.models import CheckConstraint, Q, UniqueConstraint
from django.utils import timezone

from authconfig.choices import Dependency

logger = logging.getLogger(__name__)
# A process repeats unchanged news no more often than this.
SAME_NEWS_SECONDS = 10.0
_told: dict[tuple[str, str], tuple[bool, float]] = {}


class DependencyState(models.Model):
    """How a server answered last; whichever process asked it writes this row."""

    kind = models.CharField(max_length=12, choices=Dependency.choices)
    name = models.CharField(max_length=300)
    is_up = models.BooleanField()
    # When the state changed, and when the server was asked last.
    changed_at = models.DateTimeField(default=timezone.now)
    words = models.CharField(max_length=500, blank=True)
    asked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["kind", "name"]
        constraints = [
            UniqueConstraint(name="dependency_has_one_state", fields=["kind", "name"]),
            CheckConstraint(
                name="dependency_is_known", condition=Q(kind__in=Dependency.values)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {'up' if self.is_up else 'down'}"


def note_up(kind: Dependency, name: str) -> None:
    _note(kind, name, is_up=True, words="")


def note_down(kind: Dependency, name: str, words: str) -> None:
    _note(kind, name, is_up=False, words=words[:500])


def _note(kind: Dependency, name: str, *, is_up: bool, words: str) -> None:
    """A login or a mail that asks a server must not fail because this row did."""
    key, now = (kind.value, name), time.monotonic()
    was_up, until = _told.get(key, (not is_up, 0.0))
    if was_up == is_up and now < until:
        return
    _told[key] = is_up, now + SAME_NEWS_SECONDS
    try:
        with transaction.atomic():
            _write(kind, name[:300], is_up=is_up, words=words)
    except DatabaseError as error:
        logger.warning("%s %s: state not kept (%s)", kind, name, type(error).__name__)


def _write(kind: Dependency, name: str, *, is_up: bool, words: str) -> None:
    now = timezone.now()
    rows = DependencyState.objects.filter(kind=kind, name=name)
    if rows.filter(is_up=is_up).update(asked_at=now, words=words):
        return
    news = {"is_up": is_up, "changed_at": now, "asked_at": now, "words": words}
    rows.update_or_create(kind=kind, name=name, defaults=news)


def forget() -> None:
    """For tests, which empty the table: write everything again."""
    _told.clear()
