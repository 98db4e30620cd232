"""Keys that a machine shows as a bearer token: shown once, kept as a digest."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

USE_NOTED_EVERY = timedelta(minutes=1)


class BearerKey(models.Model):
    """There is one at most, which the table's own constraint ensures."""

    digest = models.CharField(max_length=64)
    made_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    @classmethod
    def current(cls) -> Self | None:
        return cls._default_manager.first()

    @classmethod
    def replace(cls, prefix: str) -> str:
        """Return a new key, which nobody can read again; an older one ends with this.

        People and secret scanners recognise it by the prefix.
        """
        key = prefix + secrets.token_urlsafe(32)
        values = {"digest": digest(key), "made_at": timezone.now()}
        cls._default_manager.update_or_create(
            pk=1, defaults=values | {"last_used_at": None}
        )
        return key

    @classmethod
    def is_right(cls, key: str) -> bool:
        """Compare with the present key in a time that gives nothing away; note it."""
        present = cls.current()
        stored = present.digest if present else ""
        if not constant_time_compare(digest(key), stored):
            return False
        now = timezone.now()
        is_old = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_NOTED_EVERY)
        cls._default_manager.filter(is_old).update(last_used_at=now)
        return True


def digest(key: str) -> str:
    """A plain digest will do: nobody guesses 256 random bits, however fast it is."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def shown_in(request: HttpRequest) -> str:
    """Return the bearer token of a request, "" if it has none."""
    scheme, _blank, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""
