"""The embedded mode from its start to its end: database, processes, wait."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_urlsafe

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.db import connection

from authconfig.models import current_rules
from pbxsite.administration.authentication import summary
from pbxsite.embedded import data_dir as embedded
from pbxsite.embedded import first_start, processes
from pbxsite.embedded.first_start import Administrator
from pbxsite.embedded.mailbox import directory
from pbxsite.embedded.mailbox_pages import is_reachable
from pbxsite.embedded.plan import Plan
from pbxsite.embedded.supervisor import ChildEndedError, Family

START_LIMIT_SECONDS = 120
POLL_SECONDS = 0.1
Say = Callable[[str], None]


@contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Hold the directory: two sites on it would write into each other's files."""
    with (data_dir / "site.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(f"A site is running on {data_dir} already.") from error
        yield


def prepare(plan: Plan, say: Say, administrator: Callable[[], Administrator]) -> None:
    """Bring the database up to date, and note what other commands have to know."""
    old_port = embedded.remembered(plan.site_env).get("MAILBOX_PORT")
    if first_start.migrate():
        say("Database: up to date now.")
    if first_start.is_first():
        _furnish(plan, say, administrator())
    elif old_port and int(old_port) != plan.mailbox_port:
        first_start.follow_mailbox(int(old_port), plan.mailbox_port)
    connection.close()
    embedded.remember(plan.site_env, plan.lasting())


def _furnish(plan: Plan, say: Say, given: Administrator) -> None:
    chosen = given if given.password else replace(given, password=token_urlsafe(12))
    try:
        first_start.furnish(chosen, plan.mailbox_port)
    except ValidationError as error:
        faults = " ".join(error.messages)
        raise CommandError(f"No administrator could be made: {faults}") from error
    made_up = f"{chosen.password} (made up, shown this once)"
    password = "as given" if given.password else made_up
    say(f"Administrator: {chosen.name}, password: {password}")


def run(plan: Plan, say: Say, is_stopping: Callable[[], bool]) -> None:
    environment = processes.environment(plan)
    family = Family(settings.BASE_DIR, plan.data_dir / "log", environment)
    try:
        processes.start_all(family, plan)
        if _await_answers(family, plan, say, is_stopping):
            _welcome(plan, say)
        while not is_stopping():
            family.mend(say)
            time.sleep(POLL_SECONDS)
        say("Ending.")
    except ChildEndedError as error:
        raise CommandError(str(error)) from error
    finally:
        family.end()


def _await_answers(
    family: Family, plan: Plan, say: Say, is_stopping: Callable[[], bool]
) -> bool:
    probes = processes.probes(plan)
    limit = time.monotonic() + START_LIMIT_SECONDS
    while probes and not is_stopping():
        family.check()
        for name in [name for name, answers in probes.items() if answers()]:
            say(f"The {name} answers.")
            del probes[name]
        if time.monotonic() > limit:
            silent = " and the ".join(probes)
            raise CommandError(f"The {silent} did not answer; see the logs.")
        time.sleep(POLL_SECONDS)
    return not probes


def _welcome(plan: Plan, say: Say) -> None:
    say(f"Administration: {plan.url}/admin/")
    mailbox = f"{plan.url}/mailbox/" if is_reachable() else str(directory())
    say(f"Mailbox: {mailbox}")
    link = current_rules().verification_link
    if warning := summary.stale_link(link, plan.lasting()["SITE_URL"]):
        say(f"Warning: {warning}")
    say(f"Ready: {plan.url}/")
