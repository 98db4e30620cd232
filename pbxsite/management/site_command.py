"""The base of the commands that read or change the site's data."""

from __future__ import annotations

import os
import select
import sys
from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from authconfig.users.models import PbxUser
from pbxsite.tables.release import lacks_migrations


class SiteCommand(BaseCommand):
    """Tells in one line, without traceback, of a database that is away or empty.

    Where nobody reads on, as behind `| head`, it ends without a word.
    """

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            output: str | None = super().execute(*args, **options)
            self.stdout.flush()
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(_fault(error)) from error
        except BrokenPipeError:
            # It may have been a server's connection.
            if _is_read(self.stdout.fileno()):
                raise
            # What is left would be written once more as Python ends.
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), self.stdout.fileno())
            sys.exit(1)
        return output


def _is_read(file: int) -> bool:
    asked = select.poll()
    asked.register(file, 0)
    return not any(events & select.POLLERR for _file, events in asked.poll(0))


def _fault(error: Exception) -> str:
    try:
        pending = lacks_migrations()
    except (DatabaseError, InterfaceError) as away:
        return (
            f"The database cannot be reached: {_words(away)}."
            " Check DATABASE_URL (embedded: DATA_DIR) and whether it runs."
        )
    if pending:
        return "The database lacks tables of this version. Run: manage.py migrate"
    return f"The database refused: {_words(error)}."


def _words(error: Exception) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0].strip().rstrip(".")


class Key(Protocol):
    made_at: datetime
    last_used_at: datetime | None


class Keys(Protocol):
    """A module that keeps one key; an older one ends with a new one."""

    def make(self, *, actor: PbxUser | None) -> str: ...
    def revoke(self, *, actor: PbxUser | None) -> bool: ...


class KeyCommand(SiteCommand):
    """Shows, makes and revokes the key with which a machine writes here."""

    keys: Keys
    # What happens without a key.
    revoke_help = ""

    def current(self) -> Key | None:
        raise NotImplementedError

    def address(self) -> str:
        raise NotImplementedError

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("show", help="Whether there is a key, and its use.")
        actions.add_parser("make", help="Print a new key, once; an older one ends.")
        actions.add_parser("revoke", help=f"End the key; {self.revoke_help}.")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        if action == "make":
            # Alone on its line, for scripts.
            self.stdout.write(self.keys.make(actor=None))
        elif action == "revoke":
            revoked = self.keys.revoke(actor=None)
            self.stdout.write("Revoked." if revoked else "There was no key.")
        else:
            self.stdout.write("\n".join(self._lines()))

    def _lines(self) -> list[str]:
        key = self.current()
        if key is None:
            return ["key: none"]
        used = f"{key.last_used_at:%Y-%m-%dT%H:%M:%SZ}" if key.last_used_at else "never"
        return [
            f"address: {self.address()}",
            f"key: made {key.made_at:%Y-%m-%dT%H:%M:%SZ}",
            f"last used: {used}",
        ]
