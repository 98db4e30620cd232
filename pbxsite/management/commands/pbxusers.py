"""`manage.py pbxusers`: adds, invites and erases users; says who can log in."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError

from authconfig.users.csv_file import COLUMNS, as_csv, parse
from authconfig.users.models import PbxUser
from pbxsite.administration.users.user_import import UserImport
from pbxsite.management import (
    pbxusers_access,
    pbxusers_adding,
    pbxusers_data,
    pbxusers_invitations,
)
from pbxsite.management.faults import fault_lines
from pbxsite.management.pbxusers_actions import add_actions
from pbxsite.management.site_command import SiteCommand
from verification.sessions import tries


class Command(SiteCommand):
    help = (
        "Import, export, add, invite, unlock or erase PBX users; say who can log in."
        f" Columns of the file: {','.join(COLUMNS)}"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_actions(parser)

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        run: dict[str, Callable[..., None]] = {
            "import": self._import,
            "export": self._export,
            "add": self._add,
            "unlock": self._unlock,
            "access": self._access,
            "invite": self._invite,
            "export-data": self._export_data,
            "erase": self._erase,
        }
        try:
            run[action](**options)
        except OSError as error:
            self._fail([f"{error.filename}: {error.strerror}"])
        except ValidationError as error:
            self._fail(fault_lines(error))

    def _fail(self, faults: Iterable[object]) -> None:
        self.stderr.write("\n".join(str(fault) for fault in faults))
        raise SystemExit(1)

    def _import(self, *, file: Path, **_: Any) -> None:
        done = UserImport(parse(file.read_bytes()))
        done.run(save=True)
        if done.faults:
            self._fail(done.faults)
        if done.leaves_nobody:
            self.stderr.write(
                "Warning: no administrator can log in any more; manage.py rescue lets"
                " one in."
            )
        self.stdout.write(done.summary)
        for closed in done.closed:
            self.stderr.write(f"{closed.text} See: manage.py pbxusers access --closed")

    def _export(self, **_: Any) -> None:
        text = as_csv(PbxUser.objects.all(), line_end="\n")
        self.stdout.write(text, ending="")

    def _add(self, *, password_stdin: bool, **options: Any) -> None:
        password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
        user = pbxusers_adding.add(password, **options)
        self.stdout.write(f"{user.name} added")

    def _access(self, *, as_json: bool, closed: bool, **_: Any) -> None:
        self.stdout.write(pbxusers_access.text(as_json=as_json, closed=closed))

    def _invite(self, **options: Any) -> None:
        self.stdout.write("\n".join(pbxusers_invitations.invite(**options)))

    def _unlock(self, *, name: str, **_: Any) -> None:
        user = pbxusers_data.user_called(name)
        tries.unlock(user, actor=None)
        self.stdout.write(f"{user.name} unlocked: failed logins are forgotten")

    def _export_data(self, *, name: str, **_: Any) -> None:
        self.stdout.write(pbxusers_data.exported(name))

    def _erase(self, *, name: str, **_: Any) -> None:
        self.stderr.write("\n".join(pbxusers_data.warnings(name)), ending="")
        self.stdout.write("\n".join(pbxusers_data.erased(name)))
