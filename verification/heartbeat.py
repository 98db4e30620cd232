"""Whether a worker runs: its sweeps, which come every few seconds, say so."""

from __future__ import annotations

from datetime import timedelta

from django.core.cache import cache

KEY = "worker-runs"
# Several sweeps may be late; then nobody seems to be there.
SILENCE = timedelta(minutes=1)


def beat() -> None:
    cache.set(KEY, "yes", SILENCE.total_seconds())


def is_silent() -> bool:
    """No worker, or no Redis to hear of one: mails wait in both cases."""
    return cache.get(KEY) is None
