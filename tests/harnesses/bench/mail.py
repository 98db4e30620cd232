"""The outgoing queue beside its peers, and how long a login waits for its mail."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from statistics import median

from django.conf import settings
from django.db import connection, connections

from authconfig.models import AuthenticationSettings, current_rules
from authconfig.users.models import PbxUser
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
from tests.harnesses.bench.old_mails import add_old_mails
from tests.harnesses.bench.sinks import sink

RUNS = int(os.environ.get("BENCH_RUNS", "3"))
AT_ONCE, FAR = "instant server", "20 ms server"
REPLY_SECONDS = {AT_ONCE: 0.0, FAR: 0.02}
# So many mails for each connection, so that all take some seconds.
MAILS_AT_ONCE, MAILS_OF_A_FAR_CONNECTION = 1500, 40
# As many as post_office has, and what a server of one's own allows.
MANY = 12
OURS = {f"this site, {n} connections": this_site(n) for n in (THREADS, MANY)}
# By default a connection carries ten mails; what the next connections cost.
SHARED = {
    f"this site, {n} connections of 100 mails": this_site(n, mails=100)
    for n in (THREADS, MANY)
}
OLD_ROWS = 1_000_000
Rates = dict[str, list[float]]


def figures() -> Iterator[Figure]:
    AuthenticationSettings.load()
    # What a process pays once, it has paid before.
    set_account(port=25, connections=1)
    rendered(1)
    for server in REPLY_SECONDS:
        yield from compare(server, measure(server, OURS | SHARED | PEERS))
    yield from delays("")
    yield from with_old_rows()
    yield from delays(f", {OLD_ROWS} old rows")


def compare(server: str, rates: Rates) -> Iterator[Figure]:
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


def measure(server: str, mailers: dict[str, Mailer]) -> Rates:
    """Have each send in turn, as often as there are runs."""
    rates: Rates = {name: [] for name in mailers}
    with sink(reply_seconds=REPLY_SECONDS[server]) as port:
        for _ in range(RUNS):
            for name, one in mailers.items():
                rates[name].append(rate(one, port, _count(server, one)))
    return rates


def _count(server: str, one: Mailer) -> int:
    far = MAILS_OF_A_FAR_CONNECTION * one.connections
    return MAILS_AT_ONCE if server == AT_ONCE else far


def rate(one: Mailer, port: int, count: int) -> float:
    """Return the mails a second of one process that finds its queue filled."""
    set_account(port, one.connections, one.mails)
    forget_ours()
    one.fill(count)
    seconds = in_a_process_of_its_own(one)
    sent = one.count_sent()
    forget_ours()
    assert sent == count, f"{sent} of {count} mails were sent"
    return count / seconds


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
    """Compare with the queue of years behind it; bare SMTP tells a busier machine."""
    before = measure(AT_ONCE, OURS | {BARE_MERGED: PEERS[BARE_MERGED]})
    old = PbxUser.objects.create_user("old", None, email="old@example.com")
    add_old_mails(old, OLD_ROWS)
    with connection.cursor() as cursor:
        # As the server has done by itself long before they are old.
        cursor.execute("VACUUM ANALYZE mail_outgoingemail")
    after = measure(AT_ONCE, OURS | {BARE_MERGED: PEERS[BARE_MERGED]})
    for ours in OURS:
        relative = [
            [
                one / bare
                for one, bare in zip(rates[ours], rates[BARE_MERGED], strict=True)
            ]
            for rates in (after, before)
        ]
        name = f"{ours}, {OLD_ROWS} old rows"
        peer = "without them"
        yield ratio(name, relative[0], peer, relative[1], "of bare smtplib")
