"""What a run does with each user, without directory and database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from authconfig.names import name_key
from authconfig.sync.choices import Change, Reason, Stop
from authconfig.sync.people import (
    Consent,
    FieldStop,
    Found,
    Known,
    Mark,
    Person,
    Plan,
    Present,
)
from authconfig.sync.plan import make_plan

FIELDS = ("name", "long_name", "email", "number")


def person(identity: str, name: str = "", **facts: Any) -> Person:
    own = {key: facts.pop(key, "") for key in FIELDS[1:]}
    return Person(identity, {"name": name or identity, **own}, **facts)


class Site:
    """Users here: `synced` by the identity of their entry, others local."""

    def __init__(self) -> None:
        self.marks: dict[str, Mark] = {}
        self.users: list[Known] = []

    def add(self, name: str, identity: str = "", **facts: Any) -> Site:
        pk = len(self.users) + 1
        own = {key: facts.pop(key, "") for key in FIELDS[1:]}
        self.users.append(Known(pk, {"name": name, **own}, identity))
        if identity:
            self.marks[identity] = Mark(pk, name, **facts)
        return self

    @property
    def had(self) -> Counter[str]:
        active = {mark.pk for mark in self.marks.values() if mark.is_active}
        users = [user for user in self.users if user.pk in active]
        return Counter(k for user in users for k, value in user.facts.items() if value)


def planned(
    people: Iterable[Person],
    site: Site | None = None,
    *,
    unread: Iterable[str] = (),
    administrators: Sequence[str] | None = None,
    able: Iterable[int] = (),
    **consent: Any,
) -> Plan:
    people, here = list(people), site or Site()
    identities = [*(p.identity for p in people), *unread]
    members = administrators or ()
    found = Found(
        {identity: identity in members for identity in identities},
        people,
        administrators is not None,
        FIELDS,
    )
    present = Present(here.marks, here.users, frozenset(able), here.had)
    return make_plan(found, present, Consent(**consent))


def told(plan: Plan) -> dict[str, list[str]]:
    return {c.value: plan.names(c) for c in Change if plan.names(c)}


def reasons(plan: Plan) -> dict[str, Reason]:
    return {refusal.name: refusal.reason for refusal in plan.refused}


ANNA = person("1", "anna", number="11")
FORMER = {"is_active": False, "is_removed": True}
CASES: dict[str, tuple[list[Person], Site, dict[str, list[str]]]] = {
    "a new entry is a new user": ([ANNA], Site(), {"added": ["anna"]}),
    "what is the same stays": ([ANNA], Site().add("anna", "1", number="11"), {}),
    "a new number is a change": (
        [ANNA],
        Site().add("anna", "1", number="12"),
        {"changed": ["anna"]},
    ),
    "an emptied number is a change": (
        [person("1", "anna")],
        Site().add("anna", "1", number="12"),
        {"changed": ["anna"]},
    ),
    "another name of the same entry is a rename": (
        [person("1", "anna.berg")],
        Site().add("anna", "1"),
        {"renamed": ["anna.berg"]},
    ),
    "another case is a rename": (
        [person("1", "Anna")],
        Site().add("anna", "1"),
        {"renamed": ["Anna"]},
    ),
    "an entry that is gone deactivates": (
        [],
        Site().add("anna", "1").add("bert", "2", **FORMER),
        {},
    ),
    "a disabled entry is not added": ([person("1", is_enabled=False)], Site(), {}),
    "a disabled entry deactivates": (
        [person("1", "anna", is_enabled=False)],
        Site().add("anna", "1"),
        {"deactivated": ["anna"]},
    ),
    "a disabled entry claims nothing": (
        [person("1", "anna", is_enabled=False), person("2", "anna")],
        Site(),
        {"added": ["anna"]},
    ),
    "a former user comes back": (
        [person("1", "anna")],
        Site().add("anna", "1", **FORMER),
        {"reactivated": ["anna"]},
    ),
    "whom an administrator deactivated stays so": (
        [person("1", "anna")],
        Site().add("anna", "1", is_active=False),
        {},
    ),
    "whom an administrator deactivated is still changed": (
        [person("1", "anna", email="a@b.example")],
        Site().add("anna", "1", is_active=False),
        {"changed": ["anna"]},
    ),
    "a local user stays local": (
        [person("1", "anna")],
        Site().add("anna"),
        {"refused": ["anna"]},
    ),
    "local users are left alone": ([ANNA], Site().add("bert"), {"added": ["anna"]}),
    "two swap their names": (
        [person("1", "bert"), person("2", "anna")],
        Site().add("anna", "1").add("bert", "2"),
        {"renamed": ["bert", "anna"]},
    ),
    "a name passes on in a chain": (
        [person("1", "b"), person("2", "c"), person("3", "a")],
        Site().add("a", "1").add("b", "2"),
        {"renamed": ["b", "c"], "added": ["a"]},
    ),
    "a refused one keeps the name that another wants": (
        [person("1", "local"), person("2", "anna")],
        Site().add("anna", "1").add("bert", "2").add("local"),
        {"refused": ["local", "anna"]},
    ),
    "two swap their numbers": (
        [person("1", "anna", number="22"), person("2", "bert", number="11")],
        Site().add("anna", "1", number="11").add("bert", "2", number="22"),
        {"changed": ["anna", "bert"]},
    ),
    "a former user gives the number up": (
        [person("2", "bert", number="11")],
        Site().add("anna", "1", number="11", **FORMER),
        {"added": ["bert"], "changed": ["anna"]},
    ),
    "umlauts and invisible case are one name": (
        [person("1", "JÜRGEN"), person("2", "jürgen")],
        Site(),
        {"refused": ["JÜRGEN", "jürgen"]},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_plan_of(case: str) -> None:
    people, site, expected = CASES[case]

    plan = planned(people, site, unread=["other"])

    # What is gone here is one of one: too few for a stop.
    if case == "an entry that is gone deactivates":
        expected = {"deactivated": ["anna"]}
    assert told(plan) == expected


REFUSALS: dict[str, tuple[list[Person], Site, dict[str, Reason]]] = {
    "no name": (
        [Person("9", {"name": "", "number": ""})],
        Site(),
        {"": Reason.NO_NAME},
    ),
    "a value that cannot be": (
        [person("1", "anna", fault="email")],
        Site(),
        {"anna": Reason.INVALID},
    ),
    "two entries of one name": (
        [person("1", "anna"), person("2", "anna")],
        Site(),
        {"anna": Reason.TWO_NAMES},
    ),
    "a second entry of a user's name": (
        [person("1", "anna"), person("2", "Anna")],
        Site().add("anna", "1"),
        {"Anna": Reason.TWO_NAMES},
    ),
    "two entries of one number": (
        [person("1", "anna", number="1"), person("2", "bert", number="1")],
        Site(),
        {"anna": Reason.TWO_NUMBERS, "bert": Reason.TWO_NUMBERS},
    ),
    "a second entry of a user's number": (
        [person("1", "anna", number="1"), person("2", "bert", number="1")],
        Site().add("anna", "1", number="1"),
        {"bert": Reason.TWO_NUMBERS},
    ),
    "the name of a local user": (
        [person("1", "anna")],
        Site().add("anna"),
        {"anna": Reason.LOCAL_USER},
    ),
    "the name of a user who left": (
        [person("2", "anna")],
        Site().add("anna", "1", **FORMER),
        {"anna": Reason.FORMER_USER},
    ),
    "the name of a user who leaves now": (
        [person("2", "anna")],
        Site().add("anna", "1"),
        {"anna": Reason.FORMER_USER},
    ),
    "the name of another user of the directory": (
        [person("2", "anna")],
        Site().add("anna", "here"),
        {"anna": Reason.NAME_TAKEN},
    ),
    "the number of a local user": (
        [person("1", "anna", number="1")],
        Site().add("bert", number="1"),
        {"anna": Reason.NUMBER_TAKEN},
    ),
    "the number of a user of the directory": (
        [person("1", "anna", number="1")],
        Site().add("bert", "here", number="1"),
        {"anna": Reason.NUMBER_TAKEN},
    ),
    "the number of one who leaves only now": (
        [person("2", "bert", number="1")],
        Site().add("anna", "1", number="1"),
        {"bert": Reason.NUMBER_TAKEN},
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refuses(case: str) -> None:
    people, site, expected = REFUSALS[case]

    plan = planned(people, site, unread=["here"])

    assert reasons(plan) == expected
    assert not {"added", "changed", "renamed"} & told(plan).keys()


def test_a_refused_entry_keeps_its_user() -> None:
    site = Site().add("anna", "1").add("local")

    plan = planned([person("1", "local")], site)

    assert told(plan) == {"refused": ["local"]}


def test_whom_somebody_activated_again_is_a_user_as_others_are() -> None:
    site = Site().add("anna", "1", is_removed=True)

    (step,) = planned([person("1", "anna")], site).steps

    assert (step.change, step.clears_mark) == (Change.CHANGED, True)


def test_links_a_local_user_after_consent() -> None:
    plan = planned([ANNA], Site().add("Anna"), links={"1"})

    (step,) = plan.steps
    assert (step.pk, step.is_linked, step.change) == (1, True, Change.RENAMED)


def test_a_linked_user_with_the_same_facts_is_a_change() -> None:
    plan = planned([person("1", "anna")], Site().add("anna"), links={"1"})

    assert told(plan) == {"changed": ["anna"]}


def test_no_consent_links_the_user_of_another_entry() -> None:
    site = Site().add("anna", "1", **FORMER)

    assert told(planned([person("2", "anna")], site, links={"2"})) == {
        "refused": ["anna"]
    }


def staff(count: int, **facts: Any) -> Site:
    site = Site()
    for number in range(count):
        site.add(f"u{number}", str(number), **facts)
    return site


@pytest.mark.parametrize(
    ("active", "gone", "percent", "stop"),
    [
        (100, 10, 10, None),
        (100, 11, 10, Stop.TOO_MANY),
        (10, 3, 10, None),
        (10, 4, 10, Stop.TOO_MANY),
        (4, 3, 0, None),
        (100, 4, 0, Stop.TOO_MANY),
        (100, 99, 100, None),
        (39, 4, 10, Stop.TOO_MANY),
        (40, 4, 10, None),
    ],
)
def test_stops_at_more_than_the_share_and_more_than_three(
    active: int, gone: int, percent: int, stop: Stop | None
) -> None:
    here = [str(number) for number in range(gone, active)]

    plan = planned([], staff(active), unread=here, most_percent=percent)

    assert plan.stop is stop
    assert len(told(plan).get("deactivated", [])) == (0 if stop else gone)
    assert len(plan.removals) == gone


def test_a_stop_leaves_additions_and_changes() -> None:
    site = staff(10)

    plan = planned([person("0", "renamed"), person("new")], site)

    assert told(plan) == {"renamed": ["renamed"], "added": ["new"]}
    assert plan.stop is Stop.TOO_MANY


@pytest.mark.parametrize(
    ("allowed", "stop"), [(8, Stop.TOO_MANY), (9, None), (10, None)]
)
def test_a_confirmation_holds_for_no_more_than_it_says(
    allowed: int, stop: Stop | None
) -> None:
    assert planned([], staff(10), unread=["9"], removals=allowed).stop is stop


def test_users_who_left_before_do_not_count_as_active() -> None:
    site = staff(40)
    for number in range(100):
        site.add(f"former{number}", f"f{number}", **FORMER)

    plan = planned([], site, unread=[str(number) for number in range(5, 40)])

    assert plan.stop is Stop.TOO_MANY


@pytest.mark.parametrize("count", [0, 1, 3, 50])
def test_a_filter_that_finds_nobody_deactivates_nobody(count: int) -> None:
    plan = planned([], staff(count))

    assert plan.stop is Stop.NOBODY
    assert not plan.steps


def test_even_nobody_can_be_confirmed() -> None:
    assert len(planned([], staff(3), removals=3).steps) == 3


def with_values(count: int, **facts: Any) -> Site:
    site = Site()
    for number in range(count):
        own = {
            "long_name": "A B",
            "email": f"u{number}@x.example",
            "number": f"5{number}",
        }
        site.add(f"u{number}", str(number), **(own | facts))
    return site


def read_again(site: Site, **changed: str) -> list[Person]:
    return [person(user.identity, **(user.facts | changed)) for user in site.users]


@pytest.mark.parametrize("name", ["long_name", "email", "number"])
@pytest.mark.parametrize(
    ("had", "lost", "percent", "stops"),
    [
        (40, 4, 10, False),
        (40, 5, 10, True),
        (10, 3, 10, False),
        (10, 4, 10, True),
        (40, 40, 100, False),
    ],
)
def test_a_value_that_too_many_would_lose_stays(
    name: str, had: int, lost: int, percent: int, *, stops: bool
) -> None:
    site = with_values(had)
    people = [*read_again(site, **{name: ""})[:lost], *read_again(site)[lost:]]

    plan = planned(people, site, most_percent=percent)

    if stops:
        assert plan.stop is Stop.FIELDS
        assert plan.field_stops == [FieldStop(name, lost, had, is_emptied=True)]
        assert [(s.before[name] != "", s.facts) for s in plan.kept] == [
            (True, {name: ""})
        ] * lost
        assert not plan.steps
    else:
        assert (plan.stop, plan.field_stops, plan.kept) == (None, [], [])
        assert len(plan.steps) == lost


def test_entries_without_names_are_refused_however_many() -> None:
    site = with_values(10)
    people = [Person(u.identity, u.facts | {"name": ""}) for u in site.users]

    plan = planned(people, site)

    assert plan.field_stops == []
    assert [refusal.reason for refusal in plan.refused] == [Reason.NO_NAME] * 10


def test_whoever_is_refused_loses_nothing() -> None:
    site = with_values(10)
    fault = {"number": "", "fault": "name “?”"}
    people = [person(u.identity, **(u.facts | fault)) for u in site.users]

    plan = planned(people, site)

    assert plan.field_stops == []
    assert len(plan.refused) == 10


def test_only_active_users_who_lose_a_value_are_counted() -> None:
    site = with_values(40)
    for number in range(10):
        site.add(f"f{number}", f"f{number}", number=f"6{number}", is_active=False)
    losing = [*site.users[:4], *site.users[40:]]
    people = [
        person(
            user.identity, **(user.facts | ({"number": ""} if user in losing else {}))
        )
        for user in site.users
    ]

    plan = planned(people, site)

    assert (plan.stop, plan.field_stops) == (None, [])
    assert len(plan.steps) == 14


def test_whoever_has_no_value_or_has_left_is_no_part_of_the_share() -> None:
    site = with_values(30)
    for number in range(100):
        site.add(f"former{number}", f"f{number}", email="f@x.example", **FORMER)
        site.add(f"other{number}", f"o{number}")

    plan = planned(read_again(site, email="")[:4], site, unread=map(str, range(4, 30)))

    assert plan.field_stops == [FieldStop("email", 4, 30, is_emptied=True)]


@pytest.mark.parametrize(
    ("name", "stop"), [("email", Stop.FIELDS), ("number", None), ("long_name", None)]
)
def test_of_values_that_change_only_addresses_ask_first(
    name: str, stop: Stop | None
) -> None:
    site = with_values(10)
    people = [
        person(u.identity, **(u.facts | {name: f"9{u.facts['number']}@y.example"}))
        for u in site.users
    ]

    plan = planned(people, site)

    assert plan.stop is stop
    assert len(plan.steps) == (0 if stop else 10)
    if stop:
        assert plan.field_stops == [FieldStop("email", 10, 10, is_emptied=False)]


def test_a_field_that_stays_keeps_no_other_change_back() -> None:
    site = with_values(10)
    people = [*read_again(site, email="", long_name="B A"), person("new")]

    plan = planned(people, site)

    assert told(plan) == {
        "added": ["new"],
        "changed": [u.facts["name"] for u in site.users],
    }
    assert all(step.facts == {"long_name": "B A"} for step in plan.steps[:-1])
    assert all(step.facts == {"email": ""} for step in plan.kept)


def test_a_number_that_stays_is_nobody_elses() -> None:
    site = with_values(10)
    people = [*read_again(site, number=""), person("new", number="53")]

    plan = planned(people, site)

    assert reasons(plan) == {"new": Reason.TWO_NUMBERS}


def test_a_user_who_comes_back_keeps_what_the_others_keep() -> None:
    site = with_values(10).add("anna", "a", email="a@x.example", **FORMER)

    plan = planned(read_again(site, email=""), site)

    assert plan.field_stops == [FieldStop("email", 11, 10, is_emptied=True)]
    assert [(step.change, step.facts) for step in plan.steps] == [
        (Change.REACTIVATED, {})
    ]


@pytest.mark.parametrize(
    ("losses", "stops"),
    [
        ({"email": 9, "number": 9}, ["email", "number"]),
        ({"email": 10}, ["number"]),
        ({"email": 10, "number": 10}, []),
    ],
)
def test_a_confirmation_holds_for_its_field_and_count(
    losses: dict[str, int], stops: list[str]
) -> None:
    site = with_values(10)

    plan = planned(read_again(site, email="", number=""), site, losses=losses)

    assert [stop.field for stop in plan.field_stops] == stops
    assert len(plan.steps) == (0 if len(stops) == 2 else 10)


@pytest.mark.parametrize(("confirmed", "stops"), [(10, True), (11, False)])
def test_a_confirmation_counts_whoever_is_not_active_as_well(
    confirmed: int, *, stops: bool
) -> None:
    site = with_values(10).add("anna", "a", email="a@x.example", is_active=False)

    plan = planned(read_again(site, email=""), site, losses={"email": confirmed})

    assert (plan.stop is Stop.FIELDS) is stops


def test_two_kinds_of_stops_stand_beside_each_other() -> None:
    site = with_values(20)

    plan = planned(read_again(site, email="")[:15], site)

    assert plan.stop is Stop.TOO_MANY
    assert [stop.field for stop in plan.field_stops] == ["email"]
    assert Counter(step.change for step in plan.kept) == {
        Change.CHANGED: 15,
        Change.DEACTIVATED: 5,
    }
    assert not plan.steps


RIGHTS: dict[str, tuple[dict[str, Any], list[str] | None, bool | None]] = {
    "a member becomes one": ({}, ["1"], True),
    "no group, no rights": ({}, None, None),
    "a member who is one stays": ({"is_administrator": True}, ["1"], None),
    "rights of the group end with it": (
        {"is_administrator": True, "has_rights_of_group": True},
        [],
        False,
    ),
    "rights that somebody gave stay": ({"is_administrator": True}, [], None),
    "whom an administrator deactivated is a member all the same": (
        {"is_active": False},
        ["1"],
        True,
    ),
    "without a group nothing ends": (
        {"is_administrator": True, "has_rights_of_group": True},
        None,
        None,
    ),
}


@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize("case", RIGHTS)
def test_rights(case: str, is_read: bool) -> None:
    facts, administrators, expected = RIGHTS[case]
    site = Site().add("anna", "1", **facts)
    people = [person("1", "anna")] if is_read else []

    plan = planned(people, site, unread=["1"], administrators=administrators)

    assert [step.rights for step in plan.steps] == (
        [] if expected is None else [expected]
    )


def test_whoever_is_refused_gets_no_rights() -> None:
    site = Site().add("anna", "1").add("local")

    plan = planned([person("1", "local")], site, administrators=["1"])

    assert told(plan) == {"refused": ["local"]}


def test_a_new_user_of_the_group_is_an_administrator() -> None:
    (step,) = planned([ANNA], administrators=["1"]).steps

    assert (step.change, step.rights) == (Change.ADDED, True)


@pytest.mark.parametrize(
    ("able", "gone"),
    [([1], []), ([1, 2], []), ([1, 3], ["u0", "u1"]), ([], ["u0", "u1"])],
)
def test_the_last_administrators_who_can_log_in_are_kept(
    able: list[int], gone: list[str]
) -> None:
    plan = planned([], staff(3), unread=["2"], able=able)

    kept = ["u0", "u1"] if able == [1, 2] else ["u0"] if able == [1] else []
    assert told(plan).get("refused", []) == kept
    assert told(plan).get("deactivated", []) == (
        gone or [n for n in ("u0", "u1") if n not in kept]
    )


def test_rights_are_not_taken_from_the_last_administrator() -> None:
    site = Site().add("anna", "1", is_administrator=True, has_rights_of_group=True)

    plan = planned([], site, unread=["1"], administrators=[], able=[1])

    assert reasons(plan) == {"anna": Reason.LAST_ADMINISTRATOR}
    assert not plan.steps


def test_every_step_keeps_names_and_numbers_unique() -> None:
    """Whatever the directory says, what is written fits together."""
    names, numbers = ["a", "b", "c"], ["", "1", "2"]
    sites = [Site().add("a", "1", number="1").add("b", "2", number="2").add("c")]
    for first in names:
        for second in names:
            for number in numbers:
                people = [
                    person("1", first, number=number),
                    person("2", second, number="1"),
                    person("3", "c", number="2"),
                ]
                _check(planned(people, sites[0]), sites[0])


def _check(plan: Plan, site: Site) -> None:
    facts = {user.pk: dict(user.facts) for user in site.users}
    for place, step in enumerate(plan.steps):
        facts.setdefault(step.pk or -place - 1, {}).update(step.facts)
    keys = [name_key(each["name"]) for each in facts.values()]
    held = [each["number"] for each in facts.values() if each["number"]]
    assert len(set(keys)) == len(keys)
    assert len(set(held)) == len(held)
