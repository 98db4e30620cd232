"""The whole site in the foreground, in embedded mode, with nothing to set up before."""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import socket
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from authconfig.models import current_settings
from pbxsite.administration.authentication import summary
from pbxsite.embedded import data_dir as embedded
from pbxsite.embedded import first_start, processes
from pbxsite.embedded.first_start import Administrator
from pbxsite.embedded.mailbox import directory, is_reachable
from pbxsite.embedded.processes import Plan
from pbxsite.embedded.supervisor import ChildEndedError, Family
from pbxsite.env import env, secret

START_LIMIT_SECONDS = 120
POLL_SECONDS = 0.1


class Command(BaseCommand):
    help = "Run the site with all it needs: web server, worker, mailbox and Redis."
    requires_system_checks = []
    stopping = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--parent",
            type=int,
            metavar="PID",
            help="End the site when this process, which started it, is gone.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.EMBEDDED:
            raise CommandError("The embedded mode is for a site without DATABASE_URL.")
        os.umask(0o077)
        self.parent = options["parent"]
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        with _only_one(settings.DATA_DIR):
            plan = _plan()
            self._say(f"Data: {plan.data_dir} (logs in {plan.data_dir / 'log'})")
            self._prepare(plan)
            self._run(plan)

    def _stop(self, *args: object) -> None:
        self.stopping = True

    def _is_stopping(self) -> bool:
        is_orphan = self.parent is not None and os.getppid() != self.parent
        return self.stopping or is_orphan

    def _say(self, line: str) -> None:
        try:
            self.stdout.write(line)
            self.stdout.flush()
        except BrokenPipeError:
            # Whoever read the first lines and left wants the site all the same.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _prepare(self, plan: Plan) -> None:
        site_env = plan.data_dir / "site.env"
        old_port = embedded.remembered(site_env).get("MAILBOX_PORT")
        if first_start.migrate():
            self._say("Database: up to date now.")
        if first_start.is_first():
            self._furnish(plan)
        elif old_port and int(old_port) != plan.mailbox_port:
            first_start.follow_mailbox(int(old_port), plan.mailbox_port)
        connection.close()
        embedded.remember(site_env, _lasting(plan))

    def _furnish(self, plan: Plan) -> None:
        given = secret("ADMIN_PASSWORD", default="")
        administrator = Administrator(
            name=env.str("ADMIN_USERNAME", default="") or "admin",
            email=env.str("ADMIN_EMAIL", default="") or "admin@pbx.example",
            password=given or secrets.token_urlsafe(12),
        )
        try:
            first_start.furnish(administrator, plan.mailbox_port)
        except ValidationError as error:
            faults = " ".join(error.messages)
            raise CommandError(f"No administrator could be made: {faults}") from error
        made_up = f"{administrator.password} (made up, shown this once)"
        password = "as given" if given else made_up
        self._say(f"Administrator: {administrator.name}, password: {password}")

    def _run(self, plan: Plan) -> None:
        env = processes.environment(plan)
        family = Family(settings.BASE_DIR, plan.data_dir / "log", env)
        try:
            processes.start_all(family, plan)
            if self._await_answers(family, processes.probes(plan)):
                self._welcome(plan)
            while not self._is_stopping():
                family.check()
                time.sleep(POLL_SECONDS)
            self._say("Ending.")
        except ChildEndedError as error:
            raise CommandError(str(error)) from error
        finally:
            family.end()

    def _await_answers(
        self, family: Family, probes: dict[str, Callable[[], bool]]
    ) -> bool:
        limit = time.monotonic() + START_LIMIT_SECONDS
        while probes and not self._is_stopping():
            family.check()
            answering = [name for name, answers in probes.items() if answers()]
            for name in answering:
                self._say(f"The {name} answers.")
                del probes[name]
            if time.monotonic() > limit:
                silent = " and the ".join(probes)
                raise CommandError(f"The {silent} did not answer; see the logs.")
            time.sleep(POLL_SECONDS)
        return not probes

    def _welcome(self, plan: Plan) -> None:
        url = f"http://127.0.0.1:{plan.port}/"
        self._say(f"Administration: {url}admin/")
        mailbox = f"{url}mailbox/" if is_reachable() else str(directory())
        self._say(f"Mailbox: {mailbox}")
        link = current_settings().verification_link
        if warning := summary.stale_link(link, _lasting(plan)["SITE_URL"]):
            self._say(f"Warning: {warning}")
        self._say(f"Ready: {url}")


@contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    with (data_dir / "site.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(f"A site is running on {data_dir} already.") from error
        yield


def _plan() -> Plan:
    data_dir, bind = settings.DATA_DIR, settings.BIND
    if fault := _why_not(bind, settings.PORT):
        raise CommandError(
            f"Port {settings.PORT} on {bind} cannot be used: {fault}."
            " Choose another one with PORT."
        )
    own_redis = not embedded.is_given("REDIS_URL")
    return Plan(
        data_dir=data_dir,
        bind=bind,
        port=settings.PORT,
        mailbox_port=_mailbox_port(data_dir),
        redis_url=embedded.redis_url(data_dir) if own_redis else settings.REDIS_URL,
        own_redis=own_redis,
    )


def _lasting(plan: Plan) -> dict[str, str]:
    """What other commands have to know to speak to this site."""
    own_url = f"http://127.0.0.1:{plan.port}"
    return {
        "SITE_URL": settings.SITE_URL if embedded.is_given("SITE_URL") else own_url,
        "REDIS_URL": plan.redis_url,
        "MAILBOX_PORT": str(plan.mailbox_port),
    }


def _mailbox_port(data_dir: Path) -> int:
    """Take the last start's port again; if that is taken or none, a free one."""
    last = int(embedded.remembered(data_dir / "site.env").get("MAILBOX_PORT", "0"))
    if last and not _why_not("127.0.0.1", last):
        return last
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _why_not(host: str, port: int) -> str:
    """Why nobody can listen there; empty when one can."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(*found[:3]) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(found[4])
    except (OSError, OverflowError) as error:
        return str(getattr(error, "strerror", None) or error)
    return ""
