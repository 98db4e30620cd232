"""How many tries failed in a row: guessing has an end (NIST SP 800-63B-4, 3.2.2)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from math import ceil

from allauth.core.internal import ratelimit
from allauth.core.ratelimit import Rate
from django.conf import settings
from django.core.cache import cache
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from authconfig.choices import Event, Origin
from authconfig.methods.netlogon import StrangersFailures
from authconfig.users import audit
from authconfig.users.models import PbxUser
from verification.sessions.choices import CODE_LIMIT, PASSWORD_LIMIT, Guessed, Source
from verification.sessions.models import FailureCount, KnownAddress

# For so long after the last one, failures of a name that no user has are counted on.
UNKNOWN_TTL_SECONDS = 7 * 24 * 3600
# More of such names than anybody mistypes: strangers make up as many as they like, and
# would fill Redis.
NEW_NAMES_A_DAY = 20_000
# allauth's limit of failures, which grows with their number (LIMIT_FAILED_LOGINS).
FAILED_LOGINS = "login_failed"
# The key of no row.
NOBODY = 0


def add_failure(user: PbxUser, guessed: Guessed, source: Source) -> int:
    """Count a failed try; return how many failed in a row."""
    row = FailureCount.objects.filter(user=user, guessed=guessed, source=source)
    if not _add_one(row):
        # Of two first failures at once, the second is added to the first one's row.
        first = FailureCount(user=user, guessed=guessed, source=source)
        FailureCount.objects.bulk_create([first], ignore_conflicts=True)
        _add_one(row)
    return row.values_list("in_row", flat=True).first() or 0


def _add_one(row: QuerySet[FailureCount]) -> int:
    return row.update(in_row=F("in_row") + 1, last_at=timezone.now())


def add_unknown_failure(name: str) -> int:
    """Count for a name that no user has: at the same cost, but without a row."""
    nobodys = FailureCount.objects.filter(user=NOBODY)
    _add_one(nobodys)
    nobodys.values_list("in_row", flat=True).first()
    kept_as = salted_hmac("verification.sessions.tries", name, algorithm="sha256")
    digest = kept_as.hexdigest()
    failures: int = cache.get(f"failures-in-row:{digest}", 0) + 1
    if failures > 1 or _is_room():
        cache.set(f"failures-in-row:{digest}", failures, UNKNOWN_TTL_SECONDS)
    return failures


def _is_room() -> bool:
    """Say whether one more name is kept today."""
    key = f"new-names:{timezone.now():%j}"
    cache.add(key, 0, 24 * 3600)
    try:
        return cache.incr(key) <= NEW_NAMES_A_DAY
    except ValueError:  # it has expired since `add`
        return True


def is_over_limit(failures: int) -> bool:
    """Did as many fail before this one as may fail in a row?"""
    most: int = settings.LIMIT_FAILURES_IN_ROW
    return failures > most


def forget_failures(
    user: PbxUser, sources: Iterable[Source], guessed: Iterable[Guessed]
) -> None:
    rows = FailureCount.objects.filter(user=user, source__in=list(sources))
    rows.filter(guessed__in=list(guessed)).delete()


def minutes_left(key: str) -> int:
    """Return how long the limit of failures lets nobody try again."""
    now, waits = time.time(), [0.0]
    for rate, cache_key in _limits(key):
        times = cache.get(cache_key, [])
        if len(times) >= rate.amount:
            waits.append(times[rate.amount - 1] + rate.duration - now)
    return max(1, ceil(max(waits) / 60))


def _limits(key: str) -> Iterator[tuple[Rate, str]]:
    """Return each rate, and where allauth keeps its times, the newest first."""
    of_limit = {"app": "allauth.account", "action": FAILED_LOGINS}
    for rate in ratelimit.get_rates(**of_limit):
        if rate.per == "key":
            yield rate, ratelimit.get_cache_key(None, rate=rate, key=key, **of_limit)


def unlock(
    user: PbxUser, *, actor: PbxUser | None, origin: Origin = audit.NOWHERE
) -> None:
    """Let the user try anew, and record who did so."""
    forget_all(user)
    audit.record(
        Event.USER_CHANGED, user=user, actor=actor, origin=origin, detail="unlocked"
    )


def forget_all(user: PbxUser) -> None:
    """Forget all failures of the user, so that no wait and no limit is left."""
    FailureCount.objects.filter(user=user).delete()
    StrangersFailures(user.name_key).forget()
    known = KnownAddress.objects.filter(user=user).values_list("address", flat=True)
    for spot in [*Source.values, *known]:
        keys = (
            PASSWORD_LIMIT.format(name=user.name_key, spot=spot),
            CODE_LIMIT.format(what="code", user=user.pk, spot=spot),
        )
        for key in keys:
            for _rate, cache_key in _limits(key):
                cache.delete(cache_key)
