"""The links of `manage.py rescue`."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class RescueLink(models.Model):
    """A link that was made on the server and opens one session."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="rescue_links"
    )
    made_at = models.DateTimeField(default=timezone.now)
    # Used, or void: a newer one was made, or all the user's sessions were ended.
    over_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.user_id} {self.made_at}"
