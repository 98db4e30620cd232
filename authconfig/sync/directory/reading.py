"""Reading the directory: all identities each time, and the entries that changed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import ldap
from django.utils import timezone
from django.utils.crypto import salted_hmac

from authconfig.directory.attempt import DirectoryAttempt
from authconfig.directory.backend import DirectoryConnection, bind_service
from authconfig.directory.choices import NetlogonStage
from authconfig.directory.failover import ask
from authconfig.directory.faults import DirectoryError, DirectoryFault
from authconfig.directory.recheck import require_sight
from authconfig.models import AuthenticationSettings
from authconfig.settings_fields.attributes import wishes_of
from authconfig.settings_fields.synchronisation import DEFAULT_FILTER
from authconfig.sync.directory.entries import (
    ENTRY_UUID,
    NS_UNIQUE_ID,
    OBJECT_GUID,
    IdentityKind,
    PersonReader,
    any_of,
)
from authconfig.sync.directory.searches import Page, Searches, comparable
from authconfig.sync.people import Found, Person

# A page of a thousand entries may take a directory its time.
ANSWER_SECONDS = 30.0
# So many entries are asked for by their identities; more by reading all.
MOST_SINGLE = 1000
STEP = 100
VENDOR_389 = b"389 Project"
CHANGED_AT = "modifyTimestamp"
OF_RULES = (
    *("netlogon_domain", "netlogon_base_dn", "directory_sync_base"),
    *("directory_sync_filter", "directory_sync_attributes"),
)
Note = Callable[[int], None]


@dataclass(frozen=True)
class Place:
    """Of which directory and rules a mark is, and the newest change that was read."""

    server: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Question:
    """`settled` are the identities that need no reading unless they change."""

    settled: Collection[str] = ()
    place: Place = Place()
    reads_all: bool = True
    # Told how many entries have been seen; it may end the reading by an exception.
    note: Note = lambda _count: None


@dataclass(frozen=True)
class Answer:
    found: Found
    place: Place
    has_read_all: bool


def read(rules: AuthenticationSettings, question: Question) -> Answer:
    """Return what the directory has, or raise a DirectoryError: never a part of it."""
    attempt = DirectoryAttempt(rules, operation_limit=ANSWER_SECONDS)
    if not rules.netlogon_bind_dn:
        raise DirectoryError(NetlogonStage.SERVICE, DirectoryFault.NO_SERVICE)
    return ask(attempt, partial(_read, attempt, question))


def _read(
    attempt: DirectoryAttempt, question: Question, connection: DirectoryConnection
) -> Answer:
    rules = attempt.rules
    bind_service(connection, attempt)
    base = rules.directory_sync_base or attempt.base_dn
    require_sight(attempt, connection, base)
    with attempt.stage(NetlogonStage.SEARCH):
        directory = _directory(connection, rules)
    searches = Searches(connection, attempt)
    return Reader(rules, base, searches, directory, question).answer()


@dataclass(frozen=True)
class Directory:
    """What a directory says of itself: by what it names entries, and tells changes."""

    identity: IdentityKind
    server: str
    # Active Directory counts its changes; empty: they are known by their times.
    newest: str = ""

    def changed_since(self, mark: str) -> str:
        if self.newest:
            return f"(uSNChanged>={int(mark) + 1})"
        since = f"({CHANGED_AT}>={mark})"
        # In the mark's own second more may have changed after it was read; but where
        # all entries were loaded in one second, each run would read them all again.
        return f"(&{since}(!({CHANGED_AT}={mark})))" if _is_long_past(mark) else since


def _is_long_past(mark: str) -> bool:
    """More than a day ago: so wrong goes no clock, and all is read once a day."""
    at = datetime.strptime(mark, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    return at < timezone.now() - timedelta(days=1)


def _directory(
    connection: DirectoryConnection, rules: AuthenticationSettings
) -> Directory:
    if connection.is_active_directory:
        counted = connection.told_of_itself("highestCommittedUSN")
        newest = counted[0].decode() if counted else ""
        server = _invocation_id(connection)
        return Directory(OBJECT_GUID, _digest(rules, server), newest if server else "")
    is_389 = VENDOR_389 in connection.told_of_itself("vendorName")
    identity = NS_UNIQUE_ID if is_389 else ENTRY_UUID
    return Directory(identity, _digest(rules, identity.attribute))


def _invocation_id(connection: DirectoryConnection) -> str:
    """Each controller counts for itself, and anew once it was restored."""
    for service in connection.told_of_itself("dsServiceName"):
        try:
            found = connection.search_s(
                service.decode(), ldap.SCOPE_BASE, attrlist=["invocationId"]
            )
        except ldap.LDAPError:
            return ""
        values = [
            value for _dn, raw in found for each in raw.values() for value in each
        ]
        if values and len(values[0]) == 16:
            return str(uuid.UUID(bytes_le=values[0]))
    return ""


def _digest(rules: AuthenticationSettings, server: str) -> str:
    """Name the directory and the rules: with other rules every entry is read anew."""
    values = [server, *(str(getattr(rules, name)) for name in OF_RULES)]
    return salted_hmac(__name__, repr(values), algorithm="sha256").hexdigest()


@dataclass
class Reader:
    rules: AuthenticationSettings
    base: str
    searches: Searches
    directory: Directory
    question: Question
    seen: dict[str, bool] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    newest: str = ""

    def __post_init__(self) -> None:
        wishes = wishes_of(self.rules.directory_sync_attributes)
        self.reader = PersonReader(wishes, self.directory.identity)
        self.attributes = [*self.reader.attributes, CHANGED_AT]
        self.filter = self.rules.directory_sync_filter or DEFAULT_FILTER
        self.users = self._members(self.rules.directory_sync_group)
        self.administrators = self._members(self.rules.directory_sync_admin_group)
        self.newest = self.question.place.mark

    def answer(self) -> Answer:
        reads_all = not self._may_read_changes()
        if reads_all:
            self.newest = ""
            self._read_all()
        else:
            self._list()
            self._read_changed()
            reads_all = self._read_missing()
        found = Found(
            self.seen,
            list(self.people.values()),
            bool(self.rules.directory_sync_admin_group),
            self.reader.fields,
        )
        mark = self.directory.newest or self.newest
        return Answer(found, Place(self.directory.server, mark), reads_all)

    def _may_read_changes(self) -> bool:
        place = self.question.place
        is_same = place.server == self.directory.server
        # A controller that was restored may count less than before.
        counts_on = not self.directory.newest or (
            place.mark.isdecimal() and int(place.mark) <= int(self.directory.newest)
        )
        return (
            not self.question.reads_all and is_same and bool(place.mark) and counts_on
        )

    def _members(self, group_dn: str) -> set[str] | None:
        return self.searches.members(group_dn) if group_dn else None

    def _read_all(self) -> None:
        for page in self._pages(self.filter, self.attributes):
            self._see(page)
            self._take(page)
            self.question.note(len(self.seen))

    def _list(self) -> None:
        for page in self._pages(self.filter, [self.directory.identity.attribute]):
            self._see(page)
            self.question.note(len(self.seen))

    def _read_changed(self) -> None:
        changed = self.directory.changed_since(self.question.place.mark)
        for page in self._pages(f"(&{self.filter}{changed})", self.attributes):
            self._take(page)

    def _read_missing(self) -> bool:
        """Read who is new here, as after a move; return whether that was everybody."""
        settled = set(self.question.settled)
        missing = [i for i in self.seen if i not in settled and i not in self.people]
        if len(missing) > MOST_SINGLE:
            self._read_all()
            return True
        kind = self.directory.identity
        for at in range(0, len(missing), STEP):
            wanted = any_of(kind.condition(i) for i in missing[at : at + STEP])
            for page in self._pages(f"(&{self.filter}{wanted})", self.attributes):
                self._take(page)
        return False

    def _pages(self, filter_: str, attributes: list[str]) -> Iterator[Page]:
        return self.searches.pages(self.base, filter_, attributes)

    def _see(self, page: Page) -> None:
        by_dn = self.users is not None or self.administrators is not None
        for dn, raw in page:
            identity = self.directory.identity.of(raw)
            name = comparable(dn) if by_dn else ""
            if identity and (self.users is None or name in self.users):
                self.seen[identity] = name in (self.administrators or ())

    def _take(self, page: Page) -> None:
        for _dn, raw in page:
            person = self.reader.read(raw)
            if person and person.identity in self.seen:
                self.people[person.identity] = person
                self._note_time(raw.get(CHANGED_AT) or ())

    def _note_time(self, values: Collection[bytes]) -> None:
        for value in values:
            # Generalized times in UTC sort as text, as long as all are alike.
            text = value.decode(errors="replace")[:14]
            if text.isdecimal():
                self.newest = max(self.newest, f"{text}Z")
