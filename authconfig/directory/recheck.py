"""Whom the directory would not let in any more, as far as a search can tell."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import ldap

from authconfig.directory.attempt import DirectoryAttempt
from authconfig.directory.backend import (
    DirectoryConnection,
    bind_service,
    look_up,
    require_access,
)
from authconfig.directory.choices import NetlogonStage
from authconfig.directory.entries import NO_ATTRIBUTES
from authconfig.directory.failover import ask
from authconfig.directory.faults import DirectoryError, DirectoryFault, Verdict
from authconfig.models import AuthenticationSettings

# A login is refused for it, but it says nothing about any single user.
UNCLEAR = {DirectoryFault.SEVERAL_USERS}


def refused_users(
    rules: AuthenticationSettings, names: Iterable[str]
) -> dict[str, DirectoryError]:
    """Return the refused names with their errors; DirectoryError if nobody can say."""
    names = list(names)
    if not names:
        return {}
    attempt = DirectoryAttempt(rules)
    return ask(attempt, partial(_refused, names, attempt))


def _refused(
    names: Iterable[str],
    attempt: DirectoryAttempt,
    connection: DirectoryConnection,
) -> dict[str, DirectoryError]:
    bind_service(connection, attempt)
    _require_sight(attempt, connection)
    refused = {}
    for name in names:
        try:
            require_access(look_up(name, connection, attempt), attempt)
        except DirectoryError as error:
            if error.fault.verdict is not Verdict.REJECTED:
                raise
            if error.fault not in UNCLEAR:
                refused[name] = error
    return refused


def _require_sight(attempt: DirectoryAttempt, connection: DirectoryConnection) -> None:
    """To a service account without rights every user would seem to be gone."""
    with attempt.stage(NetlogonStage.SEARCH):
        base = attempt.base_dn
        if not connection.search_s(base, ldap.SCOPE_BASE, attrlist=[NO_ATTRIBUTES]):
            raise DirectoryError(NetlogonStage.SEARCH, DirectoryFault.NO_RIGHTS)
