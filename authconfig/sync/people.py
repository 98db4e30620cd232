"""What the plan is made of: people in the directory, and users here. No database."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from authconfig.names import name_key
from authconfig.sync.choices import Change, Reason, Stop

Facts = dict[str, str]
# So many may leave, or lose a value, at once in the smallest company.
FEW = 3


@dataclass(slots=True)
class Person:
    """An entry whose attributes were read; `facts` are those that the rules name.

    `fault` says which value cannot be used. `look_again_at`: when the account begins or
    ends, as seconds since 1970, though nobody will change the entry then.
    """

    identity: str
    facts: Facts
    is_enabled: bool = True
    fault: str = ""
    look_again_at: float | None = None
    # The claims ask for it again and again.
    key: str = field(init=False)

    def __post_init__(self) -> None:
        self.key = name_key(self.name)

    @property
    def name(self) -> str:
        return self.facts.get("name", "")

    @property
    def number(self) -> str:
        return self.facts.get("number", "")


@dataclass(frozen=True)
class Found:
    """What a directory has: all identities, and the entries that were read.

    `seen` tells of each identity whether it is in the administrators' group.
    """

    seen: Mapping[str, bool]
    people: Collection[Person]
    tells_administrators: bool = False
    fields: tuple[str, ...] = ("name", "long_name", "email", "number")


class Mark(NamedTuple):
    """A user from the directory, as far as each run has to know."""

    pk: int
    name: str
    is_active: bool = True
    # A run has deactivated the user, and nobody else.
    is_removed: bool = False
    # All rights, and whether the administrators' group gave them.
    is_administrator: bool = False
    has_rights_of_group: bool = False


class Known(NamedTuple):
    """A PBX user that somebody read has to do with; a local one has no identity."""

    pk: int
    facts: Facts
    identity: str = ""

    @property
    def key(self) -> str:
        return name_key(self.facts["name"])


@dataclass(frozen=True)
class Present:
    """`able`: keys of the administrators who can log in.

    `had` counts the active users from the directory who have a value in a field.
    """

    marks: Mapping[str, Mark]
    users: Collection[Known] = ()
    able: frozenset[int] = frozenset()
    had: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Consent:
    """What an administrator has confirmed, and where the rules draw the line.

    `links` are identities that may become one with the local user of their name;
    `losses` says of how many users a field may be emptied or, as an address, changed.
    """

    most_percent: int = 10
    removals: int | None = None
    links: Collection[str] = ()
    losses: Mapping[str, int] = field(default_factory=dict)


def is_too_many(count: int, of: int, consent: Consent) -> bool:
    """Are these too many of the users at once, by the rules?"""
    return count > FEW and count * 100 > of * consent.most_percent


class FieldStop(NamedTuple):
    """A field that stays as it is with so many users, of so many who have a value.

    `is_emptied`: all of them would lose it; else some would get another address.
    """

    field: str
    kept: int
    had: int
    is_emptied: bool


@dataclass(slots=True)
class Step:
    """One user's change; `facts` holds the new values of what changes alone."""

    change: Change
    identity: str
    name: str
    pk: int | None = None
    before: Facts = field(default_factory=dict)
    facts: Facts = field(default_factory=dict)
    # None: the rights stay.
    rights: bool | None = None
    is_linked: bool = False
    # Users who give up their name or number in the same run.
    takes_from: tuple[int, ...] = ()
    # Somebody has activated a user whom a run had deactivated.
    clears_mark: bool = False


@dataclass(slots=True)
class Refusal:
    """`detail` names the other one, or the value."""

    identity: str
    name: str
    reason: Reason
    detail: str = ""
    pk: int | None = None


@dataclass
class Plan:
    steps: list[Step] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    # Whom the directory no longer has, though a stop keeps them.
    removals: list[Step] = field(default_factory=list)
    stop: Stop | None = None
    field_stops: list[FieldStop] = field(default_factory=list)
    # What the stops keep from happening.
    kept: list[Step] = field(default_factory=list)
    active: int = 0

    def names(self, change: Change) -> list[str]:
        if change is Change.REFUSED:
            return [refusal.name or refusal.identity for refusal in self.refused]
        return [step.name for step in self.steps if step.change is change]
