"""Values that too many users would lose at once: they stay until somebody confirms it.

A service account that may no longer read an attribute sees it nowhere, as if everybody
had lost it; and whoever gets another e-mail address gets codes there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from authconfig.sync.choices import Change
from authconfig.sync.people import (
    Consent,
    Facts,
    FieldStop,
    Known,
    Person,
    Present,
    Step,
    is_too_many,
)

# No user is without a name; the entry is refused.
UNLOSABLE = "name"
ADDRESS = "email"


class Loss(NamedTuple):
    """A value of a user that the directory takes away, or an address that it changes.

    Of users who are not active nobody asks, but theirs stay with the others'.
    """

    identity: str
    user: Known
    name: str
    value: str
    is_counted: bool


@dataclass
class Holding:
    """`people` are as they may be written, `steps` what was taken out of them."""

    people: list[Person]
    stops: list[FieldStop] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


def hold_back(people: list[Person], present: Present, consent: Consent) -> Holding:
    by_field: dict[str, list[Loss]] = defaultdict(list)
    for loss in _losses(people, present):
        by_field[loss.name].append(loss)
    holding, held = Holding(people), list[Loss]()
    for name, losses in by_field.items():
        if stop := _stop_of(name, losses, present, consent):
            holding.stops.append(stop)
            held += losses
    if held:
        _take_out(holding, held)
    return holding


def _losses(people: Collection[Person], present: Present) -> Iterator[Loss]:
    users = {user.pk: user for user in present.users}
    for person in people:
        mark = present.marks.get(person.identity)
        user = users.get(mark.pk) if mark and not person.fault else None
        if mark is None or user is None:
            continue
        for name, value in person.facts.items():
            if _is_lost(name, user.facts.get(name, ""), value):
                yield Loss(person.identity, user, name, value, mark.is_active)


def _is_lost(name: str, before: str, after: str) -> bool:
    if name == UNLOSABLE or before in ("", after):
        return False
    return name == ADDRESS or not after


def _stop_of(
    name: str, losses: list[Loss], present: Present, consent: Consent
) -> FieldStop | None:
    had = present.had.get(name, 0)
    count = sum(loss.is_counted for loss in losses)
    if not is_too_many(count, had, consent):
        return None
    if len(losses) <= consent.losses.get(name, 0):
        return None
    is_emptied = not any(loss.value for loss in losses)
    return FieldStop(name, len(losses), had, is_emptied)


def _take_out(holding: Holding, held: list[Loss]) -> None:
    of_user: dict[str, list[Loss]] = defaultdict(list)
    for loss in held:
        of_user[loss.identity].append(loss)
    holding.steps = [_step(losses) for losses in of_user.values()]
    kept = {step.identity: step.before for step in holding.steps}
    holding.people = [
        replace(person, facts=person.facts | kept[person.identity])
        if person.identity in kept
        else person
        for person in holding.people
    ]


def _step(losses: list[Loss]) -> Step:
    identity, user = losses[0].identity, losses[0].user
    before: Facts = {loss.name: user.facts[loss.name] for loss in losses}
    after: Facts = {loss.name: loss.value for loss in losses}
    name = user.facts["name"]
    return Step(Change.CHANGED, identity, name, user.pk, before=before, facts=after)
