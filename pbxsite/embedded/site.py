"""The embedded mode from its start to its end: database, processes, wait."""

from __future__ import annotations

import fcntl
import os
import sys
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

from authconfig.models import AuthenticationSettings
from pbxsite.administration.authentication import summary
from pbxsite.embedded import data_dir as embedded
from pbxsite.embedded import first_start, processes
from pbxsite.embedded.environment import forget
from pbxsite.embedded.first_start import Administrator
from pbxsite.embedded.mailbox_pages import is_reachable
from pbxsite.embedded.plan import Plan
from pbxsite.embedded.questions import Questions
from pbxsite.embedded.shared import import_shared
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


def prepare(
    plan: Plan, say: Say, administrator: Callable[[], Administrator]
) -> list[str]:
    """Bring the database up to date, and note what other commands have to know.

    Then nothing of it is left in this process, of which the others are copies. Return
    what the owner is to be warned of.
    """
    before = embedded.remembered(plan.site_env)
    old_port = before.get("MAILBOX_PORT")
    if first_start.migrate():
        say("Database: up to date now.")
    if first_start.is_first():
        _furnish(plan, say, administrator())
    elif old_port and int(old_port) != plan.mailbox_port:
        first_start.follow_mailbox(int(old_port), plan.mailbox_port)
    warnings = _warnings(plan)
    connection.close()
    forget(processes.FIRST_START_NAMES)
    embedded.remember(plan.site_env, plan.lasting())
    if _has_old_settings(before, plan.lasting()):
        # They were read before the plan was made.
        os.execve(sys.executable, sys.orig_argv, processes.environment())  # noqa: S606
    return warnings


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


def _warnings(plan: Plan) -> list[str]:
    link = AuthenticationSettings.load().verification_link
    warning = summary.stale_link(link, plan.lasting()["SITE_URL"])
    return [str(warning)] if warning else []


def _has_old_settings(before: dict[str, str], now: dict[str, str]) -> bool:
    names = ("SITE_URL", "REDIS_URL")
    return any(before.get(name, now[name]) != now[name] for name in names)


def run(
    plan: Plan, say: Say, warnings: list[str], is_stopping: Callable[[], bool]
) -> None:
    family = Family(settings.BASE_DIR, plan.data_dir / "log", processes.environment())
    try:
        processes.start_redis(family, plan)
        import_shared()
        processes.fork_others(family, plan)
        if _await_answers(family, plan, say, is_stopping):
            _welcome(plan, say, warnings)
        with Questions(plan.data_dir, processes.environment()) as questions:
            while not is_stopping():
                family.mend(say)
                questions.answer(POLL_SECONDS)
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


def _welcome(plan: Plan, say: Say, warnings: list[str]) -> None:
    say(f"Administration: {plan.url}/admin/")
    directory = embedded.mailbox(plan.data_dir)
    say(f"Mailbox: {f'{plan.url}/mailbox/' if is_reachable() else directory}")
    for warning in warnings:
        say(f"Warning: {warning}")
    say(f"Ready: {plan.url}/")
