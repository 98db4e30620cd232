"""Who can log in, by rules that are in force or are about to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from authconfig.choices import Obstacle
from authconfig.clients.choices import Kind
from authconfig.models import AuthenticationSettings
from authconfig.policy import UserFacts, methods_for, obstacles, requires_factor
from authconfig.users.models import PbxUser
from pbxsite.administration.entry.facts import (
    FACTS,
    counts_by_facts,
    facts_of,
    with_facts,
)

Obstacles = tuple[Obstacle, ...]
Choice = Callable[[UserFacts, "Answer"], bool]


@dataclass(frozen=True)
class Answer:
    """Whether a user can log in to each kind: nothing stands in the way, or what."""

    myapps: Obstacles
    mypbx: Obstacles
    # Does a login lead to the page that asks to set up a passkey or an app first?
    lacks_factor: bool = False

    def of(self, kind: Kind) -> Obstacles:
        return self.myapps if kind is Kind.MYAPPS else self.mypbx


def answer(rules: AuthenticationSettings, number: int) -> Answer:
    return _answer(rules, facts_of(number))


def answer_for(rules: AuthenticationSettings, user: PbxUser, **changes: bool) -> Answer:
    """Return the answer to one user, with what will have changed of the facts."""
    known = with_facts(PbxUser.objects.all(), rules).get(pk=user.pk)
    return _answer(rules, facts_of(getattr(known, FACTS))._replace(**changes))


def _answer(rules: AuthenticationSettings, user: UserFacts) -> Answer:
    lacks = requires_factor(rules, Kind.MYAPPS) and not user.has_factor
    return Answer(
        obstacles(rules, Kind.MYAPPS, user), obstacles(rules, Kind.MYPBX, user), lacks
    )


class Census:
    """How many users get which answer: one question, whatever is asked of it then."""

    def __init__(
        self, rules: AuthenticationSettings, numbers: dict[int, int] | None = None
    ) -> None:
        self.rules = rules
        if numbers is None:
            numbers = counts_by_facts(PbxUser.objects.all(), rules)
        self.numbers = numbers
        self.answers = {number: answer(rules, number) for number in self.numbers}

    def by(self, rules: AuthenticationSettings) -> Census:
        """Return the answers to the same users by rules of the same domains."""
        return Census(rules, self.numbers)

    def closed(self, kind: Kind) -> int:
        """Count the active users who cannot log in; of inactive ones it is wanted."""
        return self.count(lambda user, found: user.is_active and bool(found.of(kind)))

    def all_closed(self) -> dict[Kind, int]:
        """Return this of each kind that the rules let anybody in to."""
        return {
            kind: self.closed(kind) for kind in Kind if methods_for(self.rules, kind)
        }

    def are_closed_alike(self) -> bool:
        """Return whether whoever cannot log in to the one kind cannot to the other."""
        return all(
            bool(found.myapps) == bool(found.mypbx) for found in self.answers.values()
        )

    def without_approval(self) -> int:
        """Count the active users whom two-factor authentication keeps out of myApps."""
        return self.count(
            lambda user, found: user.is_active and Obstacle.NO_APPROVAL in found.myapps
        )

    def without_factor(self) -> int:
        return self.count(lambda user, _: user.is_active and not user.has_factor)

    def chosen(self, choose: Choice) -> list[int]:
        """Return the numbers of the users whom the choice takes."""
        return [n for n, found in self.answers.items() if choose(facts_of(n), found)]

    def count(self, choose: Choice) -> int:
        return sum(self.numbers[number] for number in self.chosen(choose))
