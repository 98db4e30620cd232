"""A service account that the directory refuses rests, so that nobody locks it."""

from __future__ import annotations

import time
from typing import NamedTuple

from django.core.cache import cache
from django.utils.crypto import salted_hmac

from authconfig.directory.attempt import DirectoryAttempt
from authconfig.directory.choices import NetlogonStage
from authconfig.directory.faults import DirectoryError, DirectoryFault
from authconfig.models import AuthenticationSettings

# Whoever mends the account in the directory waits no longer than this.
REST_SECONDS = 60
# In this time the directory gets no more wrong passwords of it than of a user.
LONG_REST_SECONDS = 600


class Refusal(NamedTuple):
    rests_until: float
    # How many refusals in a row may have counted as wrong passwords.
    wrong: int
    words: str
    # The name of a DirectoryFault, where the directory said why.
    reason: str


def require_service(attempt: DirectoryAttempt) -> None:
    """Raise DirectoryError if the service account has no password, or has to rest."""
    rules = attempt.rules
    if not rules.netlogon_bind_password:
        # RFC 4513, 5.1.2: a bind with an empty password is anonymous and succeeds.
        raise _error(DirectoryFault.NO_SERVICE_PASSWORD)
    refusal = None if attempt.is_trial else _last_refusal(rules)
    if refusal and refusal.rests_until > time.time():
        raise _error(DirectoryFault.SERVICE_RESTING, refusal)


def note_refused(rules: AuthenticationSettings, error: DirectoryError) -> None:
    before, seconds = _last_refusal(rules), REST_SECONDS
    wrong = before.wrong if before else 0
    if error.reason in (None, DirectoryFault.WRONG_PASSWORD):
        wrong += 1
        if wrong >= rules.netlogon_max_failures:
            seconds = LONG_REST_SECONDS
    reason = error.reason.name if error.reason else ""
    refusal = Refusal(time.time() + seconds, wrong, error.words, reason)
    cache.set(_key(rules), tuple(refusal), LONG_REST_SECONDS)


def ask_again(rules: AuthenticationSettings) -> None:
    """Let the next login ask at once: the account was accepted, or somebody saved."""
    cache.delete(_key(rules))


def _error(fault: DirectoryFault, refusal: Refusal | None = None) -> DirectoryError:
    words, name = (refusal.words, refusal.reason) if refusal else ("", "")
    reason = DirectoryFault[name] if name else None
    return DirectoryError(NetlogonStage.SERVICE, fault, words, reason)


def _last_refusal(rules: AuthenticationSettings) -> Refusal | None:
    kept = cache.get(_key(rules))
    return Refusal(*kept) if kept else None


def _key(rules: AuthenticationSettings) -> str:
    """Name one account and password; another password has not been refused yet."""
    values = (
        rules.netlogon_domain,
        rules.netlogon_servers,
        rules.netlogon_bind_dn,
        rules.netlogon_bind_password,
    )
    digest = salted_hmac(__name__, repr(values), algorithm="sha256").hexdigest()
    return f"netlogon-service-refused:{digest}"
