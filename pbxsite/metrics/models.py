"""The totals of the metrics, and up to when they count."""

from __future__ import annotations

from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint


class Tally(models.Model):
    """A total that only grows (pbxsite/metrics/tallies.py)."""

    series = models.CharField(max_length=20)
    labels = models.CharField(max_length=120)
    amount = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            UniqueConstraint(name="tally_is_kept_once", fields=["series", "labels"]),
        ]

    def __str__(self) -> str:
        return f"{self.series} {self.labels}: {self.amount}"


class TallyMark(models.Model):
    """Up to when the tallies count."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    until = models.DateTimeField()

    class Meta:
        constraints = [
            CheckConstraint(name="tallies_have_one_mark", condition=Q(id=1)),
        ]

    def __str__(self) -> str:
        return str(self.until)
