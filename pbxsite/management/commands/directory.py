"""`manage.py directory sync [--dry-run] [--json] [--allow-removals N]`."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from authconfig.sync import runs
from authconfig.sync.choices import Trigger
from authconfig.sync.tasks import give_way
from pbxsite.management.directory_report import as_json, lines
from pbxsite.management.site_command import SiteCommand

BUSY = "Another run goes on, so this one did not begin. Try again when it has ended."


class Command(SiteCommand):
    help = "Make the PBX users what the directory says. See: docs/active-directory.md"

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        syncing = actions.add_parser("sync", help="Add, change and deactivate users.")
        syncing.add_argument(
            "--dry-run", action="store_true", help="Only say what would be done."
        )
        syncing.add_argument("--json", action="store_true", dest="as_json")
        syncing.add_argument(
            "--allow-removals",
            type=int,
            metavar="N",
            help="Deactivate up to N users, or let as many lose a value, though the"
            " rules call it too many at once.",
        )

    def run_from_argv(self, argv: list[str]) -> None:
        give_way()
        super().run_from_argv(argv)

    def handle(
        self,
        *args: Any,
        dry_run: bool,
        as_json: bool,
        allow_removals: int | None,
        **options: Any,
    ) -> None:
        run = runs.ask_for(
            Trigger.COMMAND,
            is_preview=dry_run,
            allowed_removals=allow_removals,
            preview=None if dry_run else runs.last_preview(),
        )
        report = runs.work(run)
        if report is None:
            runs.give_up(run)
        self._print(report, as_json_wanted=as_json)
        if report is None or report.stopped:
            raise SystemExit(1)

    def _print(self, report: runs.Report | None, *, as_json_wanted: bool) -> None:
        if report is None:
            report = runs.Report(stopped=BUSY)
        if as_json_wanted:
            self.stdout.write(json.dumps(as_json(report), indent=2))
            return
        for line in lines(report):
            self.stdout.write(line)
        if report.stopped:
            self.stderr.write(report.stopped)
