"""Which accounts were disabled or removed in the directory since their login."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import ldap

from authconfig.directory.accounts import NO_ATTRIBUTES
from authconfig.directory.attempt import Attempt
from authconfig.directory.backend import (
    Connection,
    base_dn,
    bind_service,
    look_up,
    refuse_ended,
)
from authconfig.directory.choices import NetlogonStage
from authconfig.directory.failover import ask
from authconfig.directory.faults import DirectoryError, Fault
from authconfig.models import AuthenticationSettings

CLOSED = {Fault.NO_USER, Fault.DISABLED, Fault.ACCOUNT_EXPIRED}
# Says nothing about any one of them.
UNCLEAR = {Fault.SEVERAL_USERS}


def closed_accounts(
    rules: AuthenticationSettings, names: Iterable[str]
) -> dict[str, DirectoryError]:
    """Return those who may not log in any more, and why; DirectoryError: unknown."""
    names = list(names)
    if not names:
        return {}
    talk = Attempt()
    return ask(rules, talk, partial(_closed, names, rules, talk))


def _closed(
    names: Iterable[str],
    rules: AuthenticationSettings,
    talk: Attempt,
    connection: Connection,
) -> dict[str, DirectoryError]:
    bind_service(rules, connection)
    _require_sight(rules, talk, connection)
    closed = {}
    for name in names:
        try:
            _dn, attributes = look_up(name, rules, connection, talk)
            refuse_ended(attributes)
        except DirectoryError as error:
            if error.fault in CLOSED:
                closed[name] = error
            elif error.fault not in UNCLEAR:
                raise
    return closed


def _require_sight(
    rules: AuthenticationSettings, talk: Attempt, connection: Connection
) -> None:
    """To an account without rights everybody seems to be gone."""
    with talk.stage(NetlogonStage.SEARCH):
        base = base_dn(rules)
        if not connection.search_s(base, ldap.SCOPE_BASE, attrlist=[NO_ATTRIBUTES]):
            raise DirectoryError(NetlogonStage.SEARCH, Fault.NO_RIGHTS)
