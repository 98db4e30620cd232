"""This tree beside an older commit: both are measured in turn, in the same run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median

from tests.harnesses.bench.beside.driver import PASSWORD
from tests.harnesses.bench.beside.rounds import (
    BROWSERS,
    KINDS,
    Held,
    Values,
    forward_authentication,
    lists,
    logins,
    mails,
    waiting,
)
from tests.harnesses.bench.beside.stand import Stand, stand
from tests.harnesses.bench.figures import Figure
from tests.harnesses.older import tree_of
from tests.support.services import ROOT

# Short ones are more, since the machine itself is faster at some moments.
ROUNDS, SHORT_ROUNDS = 5, 11
# The mails of a round go out in so many turns.
SHARES = 4
# Proxies' connections, each with a session.
SESSIONS = 20
# Their passwords' hashes are the site's own, the others' cost nothing.
VISITOR, TESTER = "visitor", "tester"
Round = Callable[[Stand], Values]
Pair = tuple[Values, Values]
Pairs = list[Pair]


def figures(commit: str) -> Iterator[Figure]:
    """Measure the rows of both; each ratio is of this tree to the commit."""
    with (
        tree_of(commit) as tree,
        tempfile.TemporaryDirectory() as place,
        stand("new", ROOT, Path(place)) as new,
        stand("base", tree, Path(place)) as base,
    ):
        for site in (new, base):
            add_user(site, VISITOR)
        yield from compared(commit, in_turns(new, base, ROUNDS, measure_logins))
        cookies = {
            site.name: site.drive("sign_in", VISITOR, SESSIONS) for site in (new, base)
        }
        ask = partial(ask_with, cookies)
        yield from compared(commit, in_turns(new, base, SHORT_ROUNDS, ask))
        yield from compared(commit, in_turns(new, base, ROUNDS, open_lists))
        names = [f"user{number}" for number in range(BROWSERS)]
        for site in (new, base):
            site.drive("add_users", names)
            hold_logins(site)
        sent, waited = mails_and_browsers(new, base, names)
        yield from compared(commit, sent)
        yield from compared(commit, waited)


def measure_logins(site: Stand) -> Values:
    return logins(site, VISITOR)


def ask_with(cookies: dict[str, list[str]], site: Stand) -> Values:
    return forward_authentication(site, cookies[site.name])


def open_lists(site: Stand) -> Values:
    return lists(site, VISITOR)


def add_user(site: Stand, name: str) -> None:
    words = ("pbxusers", "add", name, f"--email={name}@example.com")
    site.manage(*words, "--password-stdin", "--admin", stdin=f"{PASSWORD}\n")


def hold_logins(site: Stand) -> None:
    """Switch two-factor authentication on, which a mail to a tester comes before."""
    tester = f"--test={TESTER}@example.com"
    site.drive("manage", "authconfig", "set", "two_factor=on", tester)


def mails_and_browsers(
    new: Stand, base: Stand, names: list[str]
) -> tuple[Pairs, Pairs]:
    """In each round the mails go out in shares, then all the browsers wait."""
    sent, waited = Pairs(), Pairs()
    for number in range(ROUNDS):
        held = {site.name: Held() for site in (new, base)}
        for first in range(SHARES):
            send = partial(mails, held, names[first::SHARES])
            sent.append(one_turn(new, base, number + first, send))
        waited.append(one_turn(new, base, number, partial(waiting, held)))
    return sent, waited


def in_turns(new: Stand, base: Stand, rounds: int, measure: Round) -> Pairs:
    return [one_turn(new, base, number, measure) for number in range(rounds)]


def one_turn(new: Stand, base: Stand, number: int, measure: Round) -> Pair:
    """Measure one and the other; each turn begins with the other one."""
    order = (new, base) if number % 2 else (base, new)
    values = {site.name: measure(site) for site in order}
    return values[new.name], values[base.name]


def compared(commit: str, pairs: Pairs) -> Iterator[Figure]:
    """The median of the rounds' ratios; their spread stands in the name."""
    first, _other = pairs[0]
    for key in first:
        ratios = [new[key] / base[key] for new, base in pairs]
        value = median(new[key] for new, _base in pairs)
        other = median(base[key] for _new, base in pairs)
        kind = KINDS[key]
        yield Figure(
            f"{kind.words} ({min(ratios):.2f} to {max(ratios):.2f})",
            round(value, 2),
            kind.unit,
            f"commit {commit}: {other:.2f}",
            median(ratios),
        )
