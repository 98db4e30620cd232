"""Searches that the directory answers page by page, and all members of a group."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import ldap
import ldap.dn
from ldap.controls import SimplePagedResultsControl

from authconfig.directory.attempt import DirectoryAttempt
from authconfig.directory.backend import DirectoryConnection
from authconfig.directory.choices import NetlogonStage
from authconfig.directory.entries import NO_ATTRIBUTES
from authconfig.directory.faults import DirectoryError, DirectoryFault, server_words
from authconfig.directory.groups import MEMBER_ATTRIBUTES, common_base
from authconfig.sync.directory.entries import Raw, any_of

# Active Directory sends no more at once.
PAGE_SIZE = 1000
GROUP_CLASSES = ("group", "groupOfNames", "groupOfUniqueNames", "groupOfEntries")
ANY_GROUP = any_of(f"(objectClass={name})" for name in GROUP_CLASSES)
# Of what is too much for a directory, it may send a part.
PARTIAL = (
    ldap.SIZELIMIT_EXCEEDED,
    ldap.ADMINLIMIT_EXCEEDED,
    ldap.PARTIAL_RESULTS,
)
RANGE = re.compile(r"(?P<name>\w+);range=\d+-(?P<last>\d+|\*)", re.IGNORECASE)
Page = list[tuple[str, Raw]]


class Searches:
    def __init__(
        self, connection: DirectoryConnection, attempt: DirectoryAttempt
    ) -> None:
        self.connection, self.attempt = connection, attempt

    def pages(
        self, base: str, filter_: str, attributes: Sequence[str]
    ) -> Iterator[Page]:
        """Yield what matches below the base; DirectoryError unless it is all."""
        paging = SimplePagedResultsControl(size=PAGE_SIZE, cookie="")
        while True:
            with self.attempt.stage(NetlogonStage.SEARCH):
                page, answered = self._page(base, filter_, attributes, paging)
            yield page
            paging.cookie = next((each.cookie for each in answered), "")
            if not paging.cookie:
                return

    def _page(
        self,
        base: str,
        filter_: str,
        attributes: Sequence[str],
        paging: SimplePagedResultsControl,
    ) -> tuple[Page, list[SimplePagedResultsControl]]:
        try:
            number = self.connection.search_ext(
                base,
                ldap.SCOPE_SUBTREE,
                filter_,
                list(attributes),
                serverctrls=[paging],
            )
            limit = self.attempt.operation_limit
            _type, found, _id, controls = self.connection.result3(number, 1, limit)
        except PARTIAL as error:
            words = server_words(error)
            fault = DirectoryFault.SIZE_LIMIT
            raise DirectoryError(NetlogonStage.SEARCH, fault, words) from error
        # References to other servers have no DN, and are left alone.
        page = [(dn, raw) for dn, raw in found if dn]
        kind = SimplePagedResultsControl
        return page, [each for each in controls if isinstance(each, kind)]

    def members(self, group_dn: str) -> set[str]:
        """Return the comparable DNs of all members, those of inner groups too."""
        real_dn = self._dn_of_group(group_dn)
        groups = self._groups(common_base(self.attempt.base_dn, real_dn))
        found, waiting, seen = set[str](), [real_dn], {comparable(real_dn)}
        while waiting:
            for dn in self._direct_members(waiting.pop()):
                member = comparable(dn)
                found.add(member)
                if member in groups and member not in seen:
                    seen.add(member)
                    waiting.append(dn)
        return found

    def _dn_of_group(self, group_dn: str) -> str:
        """A group may be named by its GUID."""
        with self.attempt.stage(NetlogonStage.GROUP):
            found = self._read(group_dn, [NO_ATTRIBUTES])
            if not found:
                raise DirectoryError(
                    NetlogonStage.GROUP, DirectoryFault.NO_GROUP, group_dn
                )
            return found[0][0]

    def _groups(self, base: str) -> set[str]:
        pages = self.pages(base, ANY_GROUP, [NO_ATTRIBUTES])
        return {comparable(dn) for page in pages for dn, _raw in page}

    def _direct_members(self, group_dn: str) -> Iterator[str]:
        wanted: list[str] = list(MEMBER_ATTRIBUTES)
        while wanted:
            with self.attempt.stage(NetlogonStage.GROUP):
                entries = self._read(group_dn, wanted)
            raw: Raw = entries[0][1] if entries else {}
            for values in raw.values():
                yield from (value.decode(errors="replace") for value in values)
            wanted = list(_rests(raw))

    def _read(self, dn: str, attributes: list[str]) -> Page:
        found = self.connection.search_s(
            dn, ldap.SCOPE_BASE, "(objectClass=*)", attributes
        )
        return [(dn, raw) for dn, raw in found if dn]


def _rests(names: Iterable[str]) -> Iterator[str]:
    """Active Directory sends the first 1,500 members, and which they are."""
    for name in names:
        ranged = RANGE.fullmatch(name)
        if ranged and ranged["last"] != "*":
            yield f"{ranged['name']};range={int(ranged['last']) + 1}-*"


def comparable(dn: str) -> str:
    """Return a DN in the one form that equal ones share; case counts in none."""
    try:
        return str(ldap.dn.dn2str(ldap.dn.str2dn(dn))).lower()
    except ldap.LDAPError:
        return dn.lower()
