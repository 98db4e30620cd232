"""Whom the directory would no longer let in: disabled or removed since their login."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import ldap

from authconfig.directory.attempt import DirectoryAttempt
from authconfig.directory.backend import (
    DirectoryConnection,
    bind_service,
    look_up,
    refuse_ended,
)
from authconfig.directory.choices import NetlogonStage
from authconfig.directory.entries import NO_ATTRIBUTES
from authconfig.directory.failover import ask
from authconfig.directory.faults import DirectoryError, DirectoryFault
from authconfig.models import AuthenticationSettings

CLOSED = {
    DirectoryFault.NO_USER,
    DirectoryFault.DISABLED,
    DirectoryFault.ACCOUNT_EXPIRED,
}
# The fault says nothing about any single user.
UNCLEAR = {DirectoryFault.SEVERAL_USERS}


def refused_users(
    rules: AuthenticationSettings, names: Iterable[str]
) -> dict[str, DirectoryError]:
    """Return the refused names with their errors; DirectoryError if nobody can say."""
    names = list(names)
    if not names:
        return {}
    attempt = DirectoryAttempt(rules)
    return ask(attempt, partial(_closed, names, attempt))


def _closed(
    names: Iterable[str],
    attempt: DirectoryAttempt,
    connection: DirectoryConnection,
) -> dict[str, DirectoryError]:
    bind_service(connection, attempt)
    _require_sight(attempt, connection)
    closed = {}
    for name in names:
        try:
            _dn, attributes = look_up(name, connection, attempt)
            refuse_ended(attributes)
        except DirectoryError as error:
            if error.fault in CLOSED:
                closed[name] = error
            elif error.fault not in UNCLEAR:
                raise
    return closed


def _require_sight(attempt: DirectoryAttempt, connection: DirectoryConnection) -> None:
    """To a service account without rights every user would seem to be gone."""
    with attempt.stage(NetlogonStage.SEARCH):
        base = attempt.base_dn
        if not connection.search_s(base, ldap.SCOPE_BASE, attrlist=[NO_ATTRIBUTES]):
            raise DirectoryError(NetlogonStage.SEARCH, DirectoryFault.NO_RIGHTS)
