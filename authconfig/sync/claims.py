"""Who claims which name and number, and who keeps it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection

from authconfig.sync.choices import Reason
from authconfig.sync.people import Consent, Found, Known, Person, Present, Refusal

Check = Callable[[Person], Refusal | None]


class Claims:
    """Of all people read, refuses those who claim what somebody else keeps."""

    def __init__(
        self,
        people: Collection[Person],
        found: Found,
        present: Present,
        consent: Consent,
    ) -> None:
        self.people = {person.identity: person for person in people}
        self.seen, self.marks, self.links = found.seen, present.marks, consent.links
        self.users = {user.pk: user for user in present.users}
        self.by_name = {user.key: user for user in present.users}
        self.by_number = {
            number: user
            for user in present.users
            if (number := user.facts.get("number"))
        }
        self.refused: dict[str, Refusal] = {}
        self._refuse(self._unusable)
        self._refuse_doubles("key", Reason.TWO_NAMES)
        self._refuse_doubles("number", Reason.TWO_NUMBERS)
        # Whoever is refused stays as they are, and so keeps what another one claims.
        while self._refuse(self._name_taken) or self._refuse(self._number_taken):
            pass

    def user_of(self, person: Person) -> Known | None:
        """Return the user that the person is, or is about to be linked to."""
        if mark := self.marks.get(person.identity):
            return self.users.get(mark.pk)
        owner = self.by_name.get(person.key)
        is_linked = owner and not owner.identity and person.identity in self.links
        return owner if is_linked else None

    def former_owner(self, person: Person) -> Known | None:
        """Return a former user who has the person's number, and has to give it up."""
        owner = self._other(person, self.by_number.get(person.number))
        return owner if owner and owner.identity not in self.people else None

    def other_owners(self, person: Person) -> tuple[int, ...]:
        """Return who has the name or number until this run."""
        owners = (self.by_name.get(person.key), self.by_number.get(person.number))
        others = (self._other(person, owner) for owner in owners)
        return tuple(owner.pk for owner in others if owner)

    def _refuse(self, check: Check) -> bool:
        before = len(self.refused)
        for person in self.people.values():
            if person.identity not in self.refused and (refusal := check(person)):
                self.refused[person.identity] = refusal
        return len(self.refused) > before

    def _refuse_doubles(self, claim: str, reason: Reason) -> None:
        """Of several who claim the same, whoever has it already keeps it."""
        claiming = defaultdict(list)
        for person in self.people.values():
            value = getattr(person, claim)
            if value and person.identity not in self.refused:
                claiming[value].append(person)
        for several in (each for each in claiming.values() if len(each) > 1):
            for person in several:
                if not self._has(person, claim):
                    other = next(p for p in several if p is not person)
                    words = person.number if claim == "number" else ""
                    detail = ": ".join(filter(None, [words, other.name]))
                    self.refused[person.identity] = self._refusal(
                        person, reason, detail
                    )

    def _has(self, person: Person, claim: str) -> bool:
        user = self.user_of(person)
        if user is None:
            return False
        held = user.key if claim == "key" else user.facts.get("number")
        return bool(held == getattr(person, claim))

    def _unusable(self, person: Person) -> Refusal | None:
        if person.fault:
            return self._refusal(person, Reason.INVALID, person.fault)
        return None if person.name else self._refusal(person, Reason.NO_NAME)

    def _name_taken(self, person: Person) -> Refusal | None:
        owner = self._other(person, self.by_name.get(person.key))
        if owner is None:
            return None
        if not owner.identity:
            return self._refusal(person, Reason.LOCAL_USER, owner.facts["name"])
        moves = self._accepted(owner)
        if moves and moves.key != person.key:
            return None
        reason = Reason.NAME_TAKEN if self._is_here(owner) else Reason.FORMER_USER
        return self._refusal(person, reason, owner.facts["name"])

    def _number_taken(self, person: Person) -> Refusal | None:
        owner = self._other(person, self.by_number.get(person.number))
        if owner is None:
            return None
        moves = self._accepted(owner)
        is_free = moves.number != person.number if moves else self._is_former(owner)
        detail = f"{person.number}: {owner.facts['name']}"
        return None if is_free else self._refusal(person, Reason.NUMBER_TAKEN, detail)

    def _other(self, person: Person, owner: Known | None) -> Known | None:
        own = self.user_of(person)
        return None if owner is None or (own and own.pk == owner.pk) else owner

    def _accepted(self, owner: Known) -> Person | None:
        """Return what the directory says of an owner now, unless that is refused."""
        is_refused = owner.identity in self.refused
        return None if is_refused else self.people.get(owner.identity)

    def _is_here(self, owner: Known) -> bool:
        """Is the owner's entry there, and enabled as far as it was read?"""
        if owner.identity not in self.marks:
            # Somebody else tells of this one: a directory, or a provider.
            return True
        read = owner.identity in self.people
        return owner.identity in self.seen and (read or not self._is_former(owner))

    def _is_former(self, owner: Known) -> bool:
        mark = self.marks.get(owner.identity)
        return bool(mark and mark.is_removed and not mark.is_active)

    def _refusal(self, person: Person, reason: Reason, detail: str = "") -> Refusal:
        mark = self.marks.get(person.identity)
        name = person.name or (mark.name if mark else "")
        return Refusal(person.identity, name, reason, detail, mark.pk if mark else None)
