"""The plain answer whether a user can log in, for each method and kind."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import pytest

from authconfig.choices import AuthenticationType, Obstacle
from authconfig.clients.choices import Kind
from authconfig.policy import UserFacts, obstacles

MYAPPS, MYPBX = Kind.MYAPPS, Kind.MYPBX
PASSWORD = {"has_password": True}
ADMINISTRATOR = {"is_administrator": True}
EMAIL, SESSION = {"has_email": True}, {"has_session": True}
FACTOR = {"has_factor": True}
COUNTING = FACTOR | {"has_counting_factor": True}
USED_UP = {"is_used_up": True}
MAILBOX = EMAIL | {"is_from_mailbox": True}
SAME = {"forgotten_password_same_mailbox": True}
MISNAMED = {"is_found": False}


@dataclass(frozen=True)
class Rules:
    authentication_type: str = AuthenticationType.PBX_ONLY
    two_factor: bool = False
    factor_required: bool = False
    verification_link: str = ""
    forgotten_password_same_mailbox: bool = False


HELD = {"two_factor": True, "verification_link": "https://pbx.example/"}
# Of the rules: what differs from a fresh site; of the user: what they have.
CASES = [
    ("pbx_only", {}, PASSWORD, [], []),
    ("pbx_only", {}, {}, ["no_password"], ["no_password"]),
    ("pbx_only", {}, {"is_active": False} | PASSWORD, ["inactive"], ["inactive"]),
    ("pbx_only", {}, PASSWORD | MISNAMED, ["misnamed"], ["misnamed"]),
    ("netlogon_only", {}, {}, [], []),
    ("netlogon_only", {}, MISNAMED, ["misnamed"], ["misnamed"]),
    ("pbx_and_netlogon", {}, {}, [], []),
    (
        "pbx_and_netlogon",
        {},
        MISNAMED,
        ["no_password", "misnamed"],
        ["no_password", "misnamed"],
    ),
    ("oauth2_only", {}, {}, [], ["no_method"]),
    ("oauth2_only", {}, ADMINISTRATOR, ["no_account"], ["no_method"]),
    ("oauth2_only", {}, ADMINISTRATOR | {"has_account": True}, [], ["no_method"]),
    ("pbx_and_oauth2", {}, {}, [], ["no_password"]),
    (
        "pbx_and_oauth2",
        {},
        ADMINISTRATOR,
        ["no_password", "no_account"],
        ["no_password"],
    ),
    ("pbx_only", HELD, PASSWORD, ["no_approval"], []),
    ("pbx_only", HELD, PASSWORD | EMAIL, [], []),
    ("pbx_only", HELD, PASSWORD | SESSION, [], []),
    ("pbx_only", HELD, PASSWORD | FACTOR, ["no_approval"], []),
    ("pbx_only", HELD, PASSWORD | COUNTING, [], []),
    ("pbx_only", HELD, PASSWORD | MAILBOX, ["one_mailbox"], []),
    ("pbx_only", HELD | SAME, PASSWORD | MAILBOX, [], []),
    ("pbx_only", HELD, PASSWORD | MAILBOX | SESSION, [], []),
    ("pbx_only", HELD, PASSWORD | MAILBOX | COUNTING, [], []),
    ("pbx_only", {}, PASSWORD | MAILBOX, [], []),
    ("pbx_and_netlogon", HELD, PASSWORD | MAILBOX, [], []),
    ("pbx_only", HELD, PASSWORD | MAILBOX | USED_UP, ["used_up"], ["used_up"]),
    ("pbx_only", {}, PASSWORD | USED_UP, ["used_up"], ["used_up"]),
    # Without a verification link no e-mail approves anything.
    ("pbx_only", {}, PASSWORD | USED_UP | EMAIL, ["used_up"], ["used_up"]),
    ("pbx_only", HELD, PASSWORD | USED_UP | EMAIL, [], ["used_up"]),
    ("pbx_only", {}, PASSWORD | USED_UP | FACTOR, [], ["used_up"]),
    ("pbx_only", HELD, PASSWORD | USED_UP | FACTOR, ["used_up"], ["used_up"]),
    ("pbx_and_oauth2", {}, PASSWORD | USED_UP, [], ["used_up"]),
]


@pytest.mark.parametrize(("type_", "rules", "user", "myapps", "mypbx"), CASES)
def test_the_answer_names_what_stands_in_the_way(
    type_: str,
    rules: dict[str, str | bool],
    user: dict[str, bool],
    myapps: list[str],
    mypbx: list[str],
) -> None:
    chosen, facts = Rules(type_, **rules), UserFacts(**user)  # type: ignore[arg-type]

    assert list(obstacles(chosen, MYAPPS, facts)) == myapps
    assert list(obstacles(chosen, MYPBX, facts)) == mypbx


def test_every_obstacle_can_stand_in_the_way() -> None:
    everybody = [UserFacts(*facts) for facts in product((True, False), repeat=11)]
    every = [Rules(type_, **HELD) for type_ in AuthenticationType]  # type: ignore[arg-type]
    found = {
        obstacle
        for rules, user, kind in product(every, everybody, Kind)
        for obstacle in obstacles(rules, kind, user)
    }

    assert found == set(Obstacle)
