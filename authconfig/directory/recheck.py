"""Whom the directory would not let in any more, as far as a search can tell."""

from __future__ import annotations

import logging
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
from authconfig.directory.remedies import audit_detail
from authconfig.models import AuthenticationSettings

logger = logging.getLogger(__name__)


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
    require_sight(attempt, connection, attempt.base_dn)
    errors = {}
    for name in names:
        try:
            require_access(look_up(name, connection, attempt), attempt)
        except DirectoryError as error:
            if error.fault.verdict is Verdict.UNREACHABLE:
                raise
            errors[name] = error
    refused = {name: error for name, error in errors.items() if _is_clear(error)}
    _report([error for name, error in errors.items() if name not in refused])
    return refused


def _is_clear(error: DirectoryError) -> bool:
    """A filter that matches several accounts says nothing about any of them."""
    is_rejected = error.fault.verdict is Verdict.REJECTED
    return is_rejected and error.fault is not DirectoryFault.SEVERAL_USERS


def _report(unclear: list[DirectoryError]) -> None:
    """What is wrong with one account keeps the others from nothing."""
    if unclear:
        words = audit_detail(unclear[0])
        logger.warning("accounts not re-checked: %d, first: %s", len(unclear), words)


def require_sight(
    attempt: DirectoryAttempt, connection: DirectoryConnection, base: str
) -> None:
    """To a service account without rights every user would seem to be gone."""
    with attempt.stage(NetlogonStage.SEARCH):
        if not connection.search_s(base, ldap.SCOPE_BASE, attrlist=[NO_ATTRIBUTES]):
            raise DirectoryError(NetlogonStage.SEARCH, DirectoryFault.NO_RIGHTS)
