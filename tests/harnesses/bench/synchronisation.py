"""Users from a directory of 20,000: how long beside what any program would need.

The peer reads the same entries by python-ldap, page by page, and writes the same rows
by `bulk_create`; it checks nothing and keeps no identity.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from statistics import median

import ldap
from django.db import connection
from ldap.controls import SimplePagedResultsControl

from authconfig.models import AuthenticationSettings, current_rules
from authconfig.sync import runs
from authconfig.sync.choices import RunState, Trigger
from authconfig.sync.models import SyncedUser, SyncPlace, SyncRun
from authconfig.users.models import AuditEvent, PbxUser
from tests.harnesses.bench.figures import Figure
from tests.harnesses.bench.usage import forget_peak, memory_kib, peak_memory_kib
from tests.support.certificates import make_authority
from tests.support.crowds import CROWD, crowd
from tests.support.directory import (
    SERVICE,
    SERVICE_PASSWORD,
    Directory,
    running_directory,
)
from tests.support.services import ROOT
from tests.support.site import Site

# Of a user whom the site has; each login comes from an address of its own.
LOGIN = ("user0", "a long user's password")
NUMBERS = count(1)
COUNT, PAGE_SIZE, ROUNDS = 20_000, 1000, 3
ATTRIBUTES = ["sAMAccountName", "displayName", "mail", "telephoneNumber"]
BARE = "bare paged search and bulk_create"


def figures() -> Iterator[Figure]:
    with running_directory(make_authority("Bench CA")) as directory:
        directory.load(crowd(COUNT))
        set_up(directory)
        bare, first, again, grown = [], [], [], []
        for _ in range(ROUNDS):
            empty()
            bare.append(_timed(partial(bare_run, directory)))
            empty()
            before = memory_kib(os.getpid())
            forget_peak(os.getpid())
            first.append(_timed(our_run))
            grown.append((peak_memory_kib(os.getpid()) - before) / 1024)
            again.append(_timed(our_run))
        empty()
    peer, ours, unchanged = min(bare), min(first), min(again)
    yield Figure("first run of 20,000 users", round(ours, 2), "s", BARE, ours / peer)
    yield Figure(
        "a run without changes",
        round(unchanged, 2),
        "s",
        "the first run",
        unchanged / ours,
    )
    yield Figure(
        "memory that a run adds", round(max(grown), 1), "MiB", "60 MiB", max(grown) / 60
    )


@dataclass(frozen=True)
class Beside:
    """A run on a site where people log in, one after the other."""

    site: Site
    directory: Directory

    def figure(self, log_in: Callable[[Site, str, str, str], float]) -> Figure:
        self.directory.load(crowd(COUNT))
        base = f"directory_sync_base={CROWD}"
        self.site.manage("authconfig", "set", base)
        alone = [log_in(self.site, *LOGIN, _address()) for _ in range(30)]
        during = []
        command = [sys.executable, "manage.py", "directory", "sync"]
        with subprocess.Popen(command, cwd=ROOT, env=self.site.environment) as run:
            while run.poll() is None:
                during.append(log_in(self.site, *LOGIN, _address()))
        assert run.returncode == 0
        rates = [1 / median(times) for times in (during, alone)]
        return Figure(
            "logins while 20,000 users are read",
            round(rates[0], 1),
            "1/s",
            "logins without it",
            rates[0] / rates[1],
        )


def _address() -> str:
    number = next(NUMBERS)
    return f"198.51.{number // 250}.{number % 250 + 1}"


def set_up(directory: Directory) -> None:
    AuthenticationSettings.load()
    values = directory.settings(
        directory_sync_base=CROWD,
        directory_sync_attributes="name=sAMAccountName, long_name=displayName,"
        " email=mail, number=telephoneNumber",
    )
    AuthenticationSettings.objects.update(**values)
    current_rules.forget()


def empty() -> None:
    with connection.cursor() as cursor:
        tables = ", ".join(
            f'"{model._meta.db_table}"'
            for model in (PbxUser, SyncedUser, SyncRun, SyncPlace, AuditEvent)
        )
        cursor.execute(f"TRUNCATE {tables} CASCADE")


def our_run() -> None:
    run = runs.ask_for(Trigger.SCHEDULE)
    runs.work(run)
    run.refresh_from_db()
    assert run.state == RunState.DONE, run.words
    assert PbxUser.objects.count() == COUNT


def bare_run(directory: Directory) -> None:
    server = ldap.initialize(f"ldaps://localhost:{directory.tls_port}")
    server.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_NEVER)
    server.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    server.simple_bind_s(SERVICE, SERVICE_PASSWORD)
    entries = list(_all(server))
    PbxUser.objects.bulk_create(
        (
            PbxUser(
                name=facts["sAMAccountName"][0].decode(),
                long_name=facts["displayName"][0].decode(),
                email=facts["mail"][0].decode(),
                number=facts["telephoneNumber"][0].decode(),
                password="!",
            )
            for facts in entries
        ),
        batch_size=500,
    )
    server.unbind_s()
    assert PbxUser.objects.count() == COUNT


def _all(server: ldap.ldapobject.LDAPObject) -> Iterator[dict[str, list[bytes]]]:
    paging = SimplePagedResultsControl(size=PAGE_SIZE, cookie="")
    while True:
        number = server.search_ext(
            CROWD,
            ldap.SCOPE_SUBTREE,
            "(objectClass=inetOrgPerson)",
            ATTRIBUTES,
            serverctrls=[paging],
        )
        _type, found, _id, controls = server.result3(number)
        yield from (facts for _dn, facts in found)
        paging.cookie = controls[0].cookie
        if not paging.cookie:
            return


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
