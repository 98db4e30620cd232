"""Renewing a kept token: one worker asks the provider, whatever happens to it.

The row is the guard. A worker takes it for a lease, asks, and stores what it got before
anybody uses it. If the worker dies, the lease ends and another one takes its place.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.db.models import F, Q, QuerySet

from authconfig import dependencies, network
from authconfig.choices import Dependency, OAuth2Grant
from authconfig.network import database_now
from verification.mail.oauth2 import endpoint
from verification.mail.oauth2.configuration import Configuration
from verification.mail.oauth2.endpoint import Tokens
from verification.mail.oauth2.faults import TokenError, TokenFault
from verification.mail.oauth2.models import KeptToken

logger = logging.getLogger(__name__)
# After a failure that passes by itself, the provider is asked again so much later.
FIRST_REST = timedelta(seconds=5)
LONGEST_REST = timedelta(minutes=2)
PAUSES_OF_STORING = (0.1, 0.3, 0.6, 1.0, 2.0)
NO_FAILURE: dict[str, Any] = {
    "fault": "",
    "words": "",
    "failed_at": None,
    "failures": 0,
    "failed_with": "",
    "next_try_at": None,
}


def row_of(configuration: Configuration) -> KeptToken:
    return KeptToken.objects.get_or_create(key=configuration.key)[0]


def lease() -> timedelta:
    """Longer than all that a renewal waits for."""
    return timedelta(seconds=2 * settings.OAUTH2_TIMEOUT + 5)


def begin(row: KeptToken) -> bool:
    """Take the row for a lease; False if another worker has it, or has renewed it."""
    now = database_now()
    free = Q(renewing_until=None) | Q(renewing_until__lte=now)
    same = KeptToken.objects.filter(
        free, pk=row.pk, renewals=row.renewals, generation=row.generation
    )
    if not same.update(renewals=F("renewals") + 1, renewing_until=now + lease()):
        return False
    row.renewals += 1
    return True


def renew(configuration: Configuration, row: KeptToken) -> KeptToken:
    """Renew a row that was taken; raises TokenError, which the row then tells of."""
    # Its worker is gone, and with it a refresh token perhaps, if those rotate.
    was_broken_off = row.renewing_until is not None
    try:
        tokens = _ask(configuration, row)
    except TokenError as raised:
        error = raised
        if was_broken_off and raised.fault is TokenFault.GRANT:
            error = TokenError(TokenFault.INTERRUPTED, raised.words)
        _note_failure(configuration, row, error)
        raise error from None
    except BaseException:
        _end_lease(row)
        raise
    return _store_surely(configuration, row, tokens)


def _store_surely(
    configuration: Configuration, row: KeptToken, tokens: Tokens
) -> KeptToken:
    """A refresh token that rotated is nowhere else: wait for the database."""
    for pause in PAUSES_OF_STORING:
        try:
            return store(configuration, row, tokens)
        except DatabaseError as error:
            logger.warning(
                "token %s: not stored yet (%s)", row.pk, type(error).__name__
            )
            network.release_database()
            time.sleep(pause)
    return store(configuration, row, tokens)


def _ask(configuration: Configuration, row: KeptToken) -> Tokens:
    if configuration.grant != OAuth2Grant.AUTHORIZATION_CODE:
        return endpoint.ask(configuration)
    if not row.refresh_token:
        raise TokenError(TokenFault.NOT_AUTHORIZED)
    return endpoint.refresh(configuration, row.refresh_token)


def store(
    configuration: Configuration, row: KeptToken, tokens: Tokens, **facts: Any
) -> KeptToken:
    """Store the tokens, unless somebody has stored others since the row was read."""
    now = database_now()
    is_authorized = configuration.grant == OAuth2Grant.AUTHORIZATION_CODE
    values: dict[str, Any] = {
        "access_token": tokens.access_token,
        # A provider that does not rotate sends none; the other grants need none.
        "refresh_token": (
            tokens.refresh_token or row.refresh_token if is_authorized else ""
        ),
        "scope": tokens.scope or configuration.scope,
        "obtained_at": now,
        "expires_at": now + timedelta(seconds=tokens.seconds),
        "generation": row.generation + 1,
    }
    values |= {"renewing_until": None, **NO_FAILURE, **facts}
    same = KeptToken.objects.filter(pk=row.pk, generation=row.generation)
    if same.update(**values):
        dependencies.note_up(Dependency.PROVIDER, configuration.provider)
        logger.info("token %s: renewed for %s s", row.pk, tokens.seconds)
    return KeptToken.objects.get(pk=row.pk)


def _note_failure(
    configuration: Configuration, row: KeptToken, error: TokenError
) -> None:
    """Tell everybody why, and when the provider is asked again, if ever."""
    logger.warning("token %s: not renewed (%s)", row.pk, error.fault.name)
    dependencies.note_down(Dependency.PROVIDER, configuration.provider, error.words)
    now = database_now()
    goes_on = row.failed_with == configuration.proof and row.fault
    failures = row.failures + 1 if goes_on else 1
    rest = min(FIRST_REST * 2.0 ** min(failures - 1, 10), LONGEST_REST)
    values = {
        "fault": error.fault.name,
        "words": error.words,
        "failed_at": row.failed_at if goes_on else now,
        "failures": min(failures, 30000),
        "failed_with": configuration.proof,
        "next_try_at": None if error.is_for_good else now + rest,
        "renewing_until": None,
    }
    _own(row).update(**values)


def _end_lease(row: KeptToken) -> None:
    try:
        _own(row).update(renewing_until=None)
    except DatabaseError as error:
        logger.warning("token %s: lease not ended (%s)", row.pk, type(error).__name__)


def _own(row: KeptToken) -> QuerySet[KeptToken]:
    return KeptToken.objects.filter(
        pk=row.pk, generation=row.generation, renewals=row.renewals
    )
