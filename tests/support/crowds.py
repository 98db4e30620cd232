"""Thousands of people in a directory, who have been there for a while."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from textwrap import dedent

from tests.support.directory import BASE

CROWD = f"ou=Crowd,{BASE}"
# An unsalted name space of our own, so that each person is the same in every run.
SPACE = uuid.UUID("7d0c4ad1-6a3f-4c5e-9e52-0a1f3f0a5b11")
UNIT = f"dn: {CROWD}\nobjectClass: organizationalUnit\nou: Crowd\n"


def crowd(count: int) -> str:
    """Return an LDIF of a unit with so many people, unchanged for months."""
    return "\n".join([UNIT, *(_person(number) for number in range(count))])


def name_of(number: int) -> str:
    return f"person{number:05}"


def dn_of(number: int) -> str:
    return f"cn={name_of(number)},{CROWD}"


def _person(number: int) -> str:
    name = name_of(number)
    return dedent(
        f"""\
        dn: {dn_of(number)}
        objectClass: user
        cn: {name}
        sn: {name}
        sAMAccountName: {name}
        displayName: Jürgen Öztürk {number}
        mail: {name}@example.com
        telephoneNumber: +49 711 5{number:05}
        userAccountControl: 512
        entryUUID: {uuid.uuid5(SPACE, name)}
        createTimestamp: 20260105080000Z
        modifyTimestamp: 20260105080000Z
        """
    )


def names(numbers: Iterable[int]) -> list[str]:
    return [name_of(number) for number in numbers]
