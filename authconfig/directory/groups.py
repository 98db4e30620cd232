"""Whether a user is in the required group, directly or through other groups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import ldap
import ldap.dn
from ldap.filter import escape_filter_chars

from authconfig.directory.attempt import DirectoryAttempt
from authconfig.directory.choices import NetlogonStage
from authconfig.directory.entries import NO_ATTRIBUTES
from authconfig.directory.faults import DirectoryError, DirectoryFault

# LDAP_MATCHING_RULE_IN_CHAIN: Active Directory itself follows nested groups.
MEMBER_IN_CHAIN = "member:1.2.840.113556.1.4.1941:"
MEMBER_ATTRIBUTES = ("member", "uniqueMember")
MOST_LEVELS = 10
MOST_GROUPS = 500


def require_member(dn: str, connection: Any, attempt: DirectoryAttempt) -> None:
    group_dn = attempt.rules.netlogon_group
    with attempt.stage(NetlogonStage.GROUP) as found:
        found.append(group_dn)
        if connection.is_active_directory:
            is_member = _holds(connection, group_dn, MEMBER_IN_CHAIN, dn)
        elif not ldap.dn.is_dn(group_dn):
            raise DirectoryError(NetlogonStage.GROUP, DirectoryFault.BAD_GROUP)
        else:
            base = common_base(attempt.base_dn, group_dn)
            is_member = _climb(connection, base, group_dn, dn)
        if not is_member:
            raise DirectoryError(
                NetlogonStage.GROUP, DirectoryFault.NOT_IN_GROUP, group_dn
            )


def _holds(connection: Any, group_dn: str, attribute: str, dn: str) -> bool:
    filter_ = f"({attribute}={escape_filter_chars(dn)})"
    return bool(_dns(connection, group_dn, ldap.SCOPE_BASE, filter_))


def _climb(connection: Any, base: str, group_dn: str, user_dn: str) -> bool:
    level, seen = {user_dn}, {user_dn}
    for _ in range(MOST_LEVELS):
        filter_ = _any_of(level)
        if _dns(connection, group_dn, ldap.SCOPE_BASE, filter_):
            return True
        above = {
            dn.lower() for dn in _dns(connection, base, ldap.SCOPE_SUBTREE, filter_)
        }
        level = above - seen
        seen |= level
        if not level or len(seen) > MOST_GROUPS:
            return False
    return False


def _any_of(dns: Iterable[str]) -> str:
    terms = (
        f"({attribute}={escape_filter_chars(dn)})"
        for dn in sorted(dns)
        for attribute in MEMBER_ATTRIBUTES
    )
    return f"(|{''.join(terms)})"


def _dns(connection: Any, base: str, scope: int, filter_: str) -> list[str]:
    found = connection.search_s(base, scope, filter_, [NO_ATTRIBUTES])
    # References to other servers have no DN.
    return [dn for dn, _attributes in found if dn]


def common_base(one: str, other: str) -> str:
    """Return the branch that holds both, since groups may stand beside the users."""
    common: list[str] = []
    pairs = zip(reversed(_parts(one)), reversed(_parts(other)), strict=False)
    for part, other_part in pairs:
        if part.lower() != other_part.lower():
            break
        common.insert(0, part)
    return ",".join(common) or one


def _parts(dn: str) -> list[str]:
    parts: list[str] = ldap.dn.explode_dn(dn)
    return parts
