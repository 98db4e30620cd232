"""What a run does with each user: pure, by what the directory has and what is here."""

from __future__ import annotations

from collections.abc import Iterator

from authconfig.sync.choices import Change, Reason, Stop
from authconfig.sync.claims import Claims
from authconfig.sync.holding import hold_back
from authconfig.sync.people import (
    Consent,
    Facts,
    Found,
    Known,
    Mark,
    Person,
    Plan,
    Present,
    Refusal,
    Step,
    is_too_many,
)


def make_plan(found: Found, present: Present, consent: Consent) -> Plan:
    """Return each user's step; whoever needs none is not in it.

    Raises nothing: what cannot be done is refused with its reason. A stop leaves what
    it keeps out of the steps, and all else in.
    """
    plan = Plan(active=sum(mark.is_active for mark in present.marks.values()))
    people = [person for person in found.people if person.is_enabled]
    holding = hold_back(people, present, consent)
    people, plan.field_stops = holding.people, holding.stops
    claims = Claims(people, found, present, consent)
    plan.refused = list(claims.refused.values())
    for person in people:
        if person.identity not in claims.refused:
            plan.steps += _steps_of(person, claims, found, present)
    plan.steps += _rights_of_unread(found, present)
    plan.removals = list(_removals(found, present))
    _keep_an_administrator(plan, present)
    stop = _stop(found, plan, consent)
    plan.kept = holding.steps + (plan.removals if stop else [])
    plan.steps += [] if stop else plan.removals
    plan.stop = stop or (Stop.FIELDS if plan.field_stops else None)
    return plan


def _steps_of(
    person: Person, claims: Claims, found: Found, present: Present
) -> Iterator[Step]:
    if former := claims.former_owner(person):
        yield _gives_number_up(former, present)
    user, mark = claims.user_of(person), present.marks.get(person.identity)
    rights = _rights(found, person.identity, mark)
    if user is None:
        yield Step(
            Change.ADDED,
            person.identity,
            person.name,
            facts=person.facts,
            rights=rights,
            takes_from=claims.other_owners(person),
        )
    else:
        for step in _changes(person, user, mark, rights=rights):
            step.takes_from = claims.other_owners(person)
            yield step


def _changes(
    person: Person, user: Known, mark: Mark | None, *, rights: bool | None
) -> Iterator[Step]:
    changed = {k: v for k, v in person.facts.items() if user.facts.get(k, "") != v}
    is_back = bool(mark and mark.is_removed and not mark.is_active)
    clears = bool(mark and mark.is_removed)
    if not (changed or rights is not None or clears or mark is None):
        return
    yield Step(
        _kind(changed, is_back=is_back),
        person.identity,
        person.name,
        pk=user.pk,
        before={name: user.facts.get(name, "") for name in changed},
        facts=changed,
        rights=rights,
        is_linked=mark is None,
        clears_mark=clears,
    )


def _kind(changed: Facts, *, is_back: bool) -> Change:
    if is_back:
        return Change.REACTIVATED
    return Change.RENAMED if "name" in changed else Change.CHANGED


def _gives_number_up(former: Known, present: Present) -> Step:
    return Step(
        Change.CHANGED,
        former.identity,
        former.facts["name"],
        pk=former.pk,
        before={"number": former.facts["number"]},
        facts={"number": ""},
    )


def _rights(found: Found, identity: str, mark: Mark | None) -> bool | None:
    """Return the rights that change; only what the group gave is taken away."""
    if not found.tells_administrators:
        return None
    is_member = found.seen[identity]
    if is_member:
        return None if mark and mark.is_administrator else True
    return False if mark and mark.has_rights_of_group else None


def _rights_of_unread(found: Found, present: Present) -> Iterator[Step]:
    """A group can change while the entries of its members do not."""
    read = {person.identity for person in found.people}
    for identity, mark in present.marks.items():
        if identity not in found.seen or identity in read:
            continue
        rights = _rights(found, identity, mark)
        if rights is not None:
            yield Step(Change.CHANGED, identity, mark.name, mark.pk, rights=rights)


def _removals(found: Found, present: Present) -> Iterator[Step]:
    disabled = {person.identity for person in found.people if not person.is_enabled}
    for identity, mark in present.marks.items():
        if mark.is_active and (identity not in found.seen or identity in disabled):
            yield Step(Change.DEACTIVATED, identity, mark.name, pk=mark.pk)


def _keep_an_administrator(plan: Plan, present: Present) -> None:
    losing = [step for step in (*plan.removals, *plan.steps) if _takes_rights(step)]
    if not present.able or not present.able <= {step.pk for step in losing}:
        return
    kept = [step for step in losing if step.pk in present.able]
    plan.refused += [
        Refusal(each.identity, each.name, Reason.LAST_ADMINISTRATOR, pk=each.pk)
        for each in kept
    ]
    plan.removals = [step for step in plan.removals if step not in kept]
    plan.steps = [step for step in plan.steps if step not in kept]


def _takes_rights(step: Step) -> bool:
    return step.change is Change.DEACTIVATED or step.rights is False


def _stop(found: Found, plan: Plan, consent: Consent) -> Stop | None:
    count = len(plan.removals)
    if consent.removals is not None and count <= consent.removals:
        return None
    if not found.seen:
        return Stop.NOBODY
    return Stop.TOO_MANY if is_too_many(count, plan.active, consent) else None
