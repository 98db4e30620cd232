"""The whole site in the foreground, in embedded mode, with nothing to set up before."""

from __future__ import annotations

import os
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from pbxsite.embedded import site
from pbxsite.embedded.first_start import Administrator
from pbxsite.embedded.plan import make_plan
from pbxsite.env import env, secret


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

    def handle(self, *args: Any, parent: int | None, **options: Any) -> None:
        if not settings.EMBEDDED:
            raise CommandError("The embedded mode is for a site without DATABASE_URL.")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)

        def is_stopping() -> bool:
            is_orphan = parent is not None and os.getppid() != parent
            return self.stopping or is_orphan

        try:
            self._run(is_stopping)
        except OSError as error:
            place = error.filename or settings.DATA_DIR
            raise CommandError(f"{place}: {error.strerror or error}.") from error
        except DatabaseError as error:
            raise CommandError(
                f"The database in {settings.DATA_DIR}: {error}."
            ) from error

    def _run(self, is_stopping: Callable[[], bool]) -> None:
        with site.only_one(settings.DATA_DIR):
            plan = make_plan()
            self._say(f"Data: {plan.data_dir} (logs in {plan.data_dir / 'log'})")
            warnings = site.prepare(plan, self._say, _administrator)
            site.run(plan, self._say, warnings, is_stopping)

    def _stop(self, *args: object) -> None:
        self.stopping = True

    def _say(self, line: str) -> None:
        try:
            self.stdout.write(line)
            self.stdout.flush()
        except BrokenPipeError:
            # Whoever read the first lines and left wants the site all the same.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _administrator() -> Administrator:
    return Administrator(
        name=env.str("ADMIN_USERNAME", default="") or "admin",
        email=env.str("ADMIN_EMAIL", default="") or "admin@pbx.example",
        password=secret("ADMIN_PASSWORD", default=""),
    )
