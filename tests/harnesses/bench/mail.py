"""The outgoing queue beside its peers, and how long a login waits for its mail."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from itertools import product
from statistics import median

from django.conf import settings
from django.db import connection, connections
from django.utils import timezone

from authconfig.models import AuthenticationSettings, current_rules
from authconfig.users.models import PbxUser
from tests.harnesses.bench.copies import copied_database, named
from tests.harnesses.bench.delays import delays
from tests.harnesses.bench.figures import Figure
from tests.harnesses.bench.mailers import (
    BARE_MERGED,
    PEERS,
    THREADS,
    Mailer,
    forget_ours,
    rendered,
    this_site,
)
from tests.harnesses.bench.old_mails import add_old_mails, await_vacuum
from tests.harnesses.bench.sinks import sink

RUNS = int(os.environ.get("BENCH_RUNS", "3"))
AT_ONCE, FAR = "instant server", "20 ms server"
REPLY_SECONDS = {AT_ONCE: 0.0, FAR: 0.02}
# So many mails for each connection, so that all take some seconds.
MAILS_AT_ONCE, MAILS_OF_A_FAR_CONNECTION = 2000, 40
# As many as post_office has, and what a server of one's own allows.
MANY = 12
OURS = {f"this site, {n} connections": this_site(n) for n in (THREADS, MANY)}
# By default a connection carries ten mails; what the next connections cost.
SHARED = {
    f"this site, {n} connections of 100 mails": this_site(n, mails=100)
    for n in (THREADS, MANY)
}
OLD_ROWS = 1_000_000
# A round of each is of so many turns.
TURNS = 4
# By database and mailer: mails a second, in each round.
Rates = dict[tuple[str, str], list[float]]


def figures() -> Iterator[Figure]:
    AuthenticationSettings.load()
    # What a process pays once, it has paid before.
    set_account(port=25, connections=1)
    rendered(1)
    for server in REPLY_SECONDS:
        yield from compare(server, measure(server, OURS | SHARED | PEERS))
    yield from delays("")
    yield from with_old_rows()


def compare(server: str, rates: dict[str, list[float]]) -> Iterator[Figure]:
    for ours in OURS:
        for peer in PEERS:
            yield ratio(f"{ours}, {server}", rates[ours], peer, rates[peer])
    for ours, shared in zip(OURS, SHARED, strict=True):
        yield ratio(f"{ours}, {server}", rates[ours], shared, rates[shared])


def ratio(
    name: str,
    ours: list[float],
    peer: str,
    theirs: list[float],
    unit: str = "mails/s",
) -> Figure:
    """The median of the runs' ratios; the spread stands in the name."""
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    spread = f"{name} ({min(ratios):.2f} to {max(ratios):.2f})"
    return Figure(spread, round(median(ours), 2), unit, peer, median(ratios))


def measure(server: str, mailers: dict[str, Mailer]) -> dict[str, list[float]]:
    """Return the rates of each, of as many rounds as are asked for."""
    name = connection.settings_dict["NAME"]
    found = measure_in([name], server, mailers)
    return {mailer: rates for (_database, mailer), rates in found.items()}


def measure_in(
    databases: Sequence[str], server: str, mailers: dict[str, Mailer]
) -> Rates:
    """Have each send in turn, in each database.

    A round is several short turns of each, since the machine itself is faster at some
    moments than at others.
    """
    turns = list(product(databases, mailers))
    rates: Rates = {turn: [] for turn in turns}
    with sink(reply_seconds=REPLY_SECONDS[server]) as port:
        for _ in range(RUNS):
            taken = dict.fromkeys(turns, 0.0)
            for _ in range(TURNS):
                for database, name in turns:
                    with named(database):
                        one = mailers[name]
                        count = _count(server, one)
                        taken[database, name] += seconds(one, port, count) / count
            for turn in turns:
                rates[turn].append(TURNS / taken[turn])
    return rates


def _count(server: str, one: Mailer) -> int:
    far = MAILS_OF_A_FAR_CONNECTION * one.connections
    return (MAILS_AT_ONCE if server == AT_ONCE else far) // TURNS


def seconds(one: Mailer, port: int, count: int) -> float:
    """Return how long one process takes that finds its queue filled."""
    set_account(port, one.connections, one.mails)
    forget_ours()
    one.fill(count)
    taken = in_a_process_of_its_own(one)
    sent = one.count_sent()
    forget_ours()
    assert sent == count, f"{sent} of {count} mails were sent"
    return taken


def set_account(port: int, connections: int, mails: int = 10) -> None:
    AuthenticationSettings.objects.update(
        smtp_server="127.0.0.1",
        smtp_port=port,
        smtp_security="none",
        smtp_email_address="pbx@example.com",
        smtp_connections=connections,
        smtp_mails_per_connection=mails,
        verification_link="https://pbx.example/PBX0/session.xml",
    )
    current_rules.forget()
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port


def in_a_process_of_its_own(one: Mailer) -> float:
    connections.close_all()
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_time, args=(one, theirs))
    process.start()
    theirs.close()
    try:
        return float(ours.recv())
    finally:
        process.join()


def _time(one: Mailer, pipe: multiprocessing.connection.Connection) -> None:
    connection.ensure_connection()
    began = time.perf_counter()
    one.empty()
    pipe.send(time.perf_counter() - began)


def with_old_rows() -> Iterator[Figure]:
    """Compare the queue of a new site with that of an old one.

    Each has a database; they are asked in turns.
    """
    young = connection.settings_dict["NAME"]
    with copied_database() as copy:
        old = copy.settings_dict["NAME"]
        with named(old):
            user = PbxUser.objects.create_user("old", None, email="old@example.com")
            began = timezone.now()
            add_old_mails(user, OLD_ROWS)
            await_vacuum(began)
        mailers = OURS | {BARE_MERGED: PEERS[BARE_MERGED]}
        rates = measure_in((young, old), AT_ONCE, mailers)
        with named(old):
            # They look at what is in use.
            waited = list(delays(f", {OLD_ROWS} old rows"))
    for ours in OURS:
        name = f"{ours}, {OLD_ROWS} old rows"
        aged = rates[old, ours]
        yield ratio(name, aged, "without them", rates[young, ours])
        yield ratio(name, aged, BARE_MERGED, rates[old, BARE_MERGED])
    yield from waited
