"""The access token for a login: the present one, or a newer one, and who fetches it.

While the present token serves, a thread aside renews it and no mail waits. Without one
that serves, one worker of all renews, and the others wait for its row.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock, Thread

from django.db import connections
from django.utils.translation import gettext as _

from authconfig.choices import OAuth2Grant
from authconfig.network import Deadline, database_now, release_database
from verification.mail.oauth2 import renewal
from verification.mail.oauth2.configuration import Configuration
from verification.mail.oauth2.faults import TokenError, TokenFault
from verification.mail.oauth2.models import KeptToken

logger = logging.getLogger(__name__)
# Each process reads the row again when its copy is older.
MAX_AGE_SECONDS = 1.0
LOOKS_AGAIN_SECONDS = 0.1
# A token that is younger and was never taken is not the reason of a refusal.
YOUNG = timedelta(minutes=1)


@dataclass(frozen=True)
class AccessToken:
    """What logs in at the SMTP server."""

    token: str = field(repr=False)
    generation: int
    obtained_at: datetime
    expires_at: datetime
    scope: str


class Copies:
    """What this process knows of the rows."""

    def __init__(self) -> None:
        self._lock, self._reading = Lock(), Lock()
        self.forget()

    def forget(self) -> None:
        self._rows: dict[str, tuple[KeptToken, float]] = {}
        self._taken: dict[str, int] = {}
        self._renewing: set[str] = set()

    def row(self, configuration: Configuration) -> KeptToken:
        # Connections that are opened together need no database connection each.
        with self._reading:
            kept = self._rows.get(configuration.key)
            if kept and time.monotonic() - kept[1] < MAX_AGE_SECONDS:
                return kept[0]
            return self.read(configuration)

    def read(self, configuration: Configuration) -> KeptToken:
        row = renewal.row_of(configuration)
        self.keep(row)
        return row

    def keep(self, row: KeptToken) -> None:
        self._rows[row.key] = row, time.monotonic()

    def note_taken(self, key: str, generation: int) -> None:
        self._taken[key] = generation

    def was_taken(self, key: str, generation: int) -> bool:
        return self._taken.get(key) == generation

    def begin_aside(self, key: str) -> bool:
        with self._lock:
            is_first = key not in self._renewing
            self._renewing.add(key)
        return is_first

    def end_aside(self, key: str) -> None:
        with self._lock:
            self._renewing.discard(key)


copies = Copies()


def token_for(configuration: Configuration) -> AccessToken:
    """Return a token that serves; raises TokenError if there is none to be had now."""
    row = copies.row(configuration)
    if row.serves:
        if _is_due(row) and _may_try(row, configuration):
            _renew_aside(configuration)
        return _token_of(row)
    return _await_other(configuration, than=row.generation if row.access_token else -1)


def newer_token(configuration: Configuration, refused: AccessToken) -> AccessToken:
    """Return another token than the one that the server refused.

    Raises TokenError where there is no other one, and returns the refused one where it
    is not the reason.
    """
    row = copies.read(configuration)
    if row.generation != refused.generation and row.serves:
        return _token_of(row)
    is_young = database_now() - refused.obtained_at < YOUNG
    if is_young and not copies.was_taken(configuration.key, refused.generation):
        return refused
    return _await_other(configuration, than=refused.generation)


def words_of(configuration: Configuration, token: AccessToken) -> str:
    """Say which grant brought it, how long it lives and what for; not the token."""
    left = max((token.expires_at - database_now()).total_seconds(), 0)
    words = _("%(grant)s at %(provider)s, valid for %(minutes)d min, scope: %(scope)s")
    return words % {
        "grant": configuration.grant.label,
        "provider": configuration.provider,
        "minutes": round(left / 60),
        "scope": token.scope or "-",
    }


def note_taken(configuration: Configuration, token: AccessToken) -> None:
    """The server has taken it: if it refuses it later, the token has ended."""
    copies.note_taken(configuration.key, token.generation)


def fresh_token(configuration: Configuration) -> AccessToken:
    """Renew at once, for a trial: whatever failed before may be mended by now."""
    deadline = Deadline(renewal.lease().total_seconds() + 1)
    while not deadline.is_over():
        row = copies.read(configuration)
        if renewal.begin(row):
            return _renewed(configuration, row)
        _pause()
    raise TokenError(TokenFault.WAITED)


def keep_fresh(configuration: Configuration) -> None:
    """Renew in good time, with or without mails: a fault is told before one waits."""
    row = copies.read(configuration)
    is_idle = (
        configuration.grant == OAuth2Grant.AUTHORIZATION_CODE and not row.refresh_token
    )
    if is_idle or not _is_due(row) or not _may_try(row, configuration):
        return
    if renewal.begin(row):
        try:
            _renewed(configuration, row)
        except TokenError as error:
            logger.info("token %s: %s", row.pk, error.fault.name)


def _await_other(configuration: Configuration, *, than: int) -> AccessToken:
    """Renew, or wait until another worker has."""
    deadline = Deadline(renewal.lease().total_seconds() + 1)
    while not deadline.is_over():
        row = copies.read(configuration)
        if row.generation != than and row.serves:
            return _token_of(row)
        if not _may_try(row, configuration):
            raise TokenError(TokenFault[row.fault], row.words)
        if renewal.begin(row):
            return _renewed(configuration, row)
        _pause()
    raise TokenError(TokenFault.WAITED)


def _pause() -> None:
    release_database()
    time.sleep(LOOKS_AGAIN_SECONDS)


def _renewed(configuration: Configuration, row: KeptToken) -> AccessToken:
    renewed = renewal.renew(configuration, row)
    copies.keep(renewed)
    return _token_of(renewed)


def _is_due(row: KeptToken) -> bool:
    due_at = row.renewal_due_at
    return due_at is None or due_at <= database_now()


def _may_try(row: KeptToken, configuration: Configuration) -> bool:
    """What failed for good is not asked again, until something was changed."""
    if not row.fault or row.failed_with != configuration.proof:
        return True
    return row.next_try_at is not None and row.next_try_at <= database_now()


def _renew_aside(configuration: Configuration) -> None:
    if copies.begin_aside(configuration.key):
        Thread(target=_keep_fresh_aside, args=(configuration,), daemon=True).start()


def _keep_fresh_aside(configuration: Configuration) -> None:
    try:
        keep_fresh(configuration)
    except Exception as error:
        # The next mail tries again; a traceback could show what was asked with.
        logger.error("token not renewed (%s)", type(error).__name__)
    finally:
        copies.end_aside(configuration.key)
        connections.close_all()


def _token_of(row: KeptToken) -> AccessToken:
    assert row.obtained_at
    assert row.expires_at
    return AccessToken(
        row.access_token, row.generation, row.obtained_at, row.expires_at, row.scope
    )
