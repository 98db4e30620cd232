"""`manage.py restore FILE`: a saved site, here or on a site with PostgreSQL."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from pbxsite.backup import archive, embedded, moving
from pbxsite.backup.archive import BackupError
from pbxsite.embedded.data_dir import is_given
from pbxsite.embedded.site import only_one
from pbxsite.management.passphrases import read_passphrase
from pbxsite.management.site_command import SiteCommand


class Command(SiteCommand):
    help = (
        "Bring a backup back: into DATA_DIR, or with DATABASE_URL into an empty"
        " PostgreSQL. The passphrase is the first line of standard input."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--replace",
            action="store_true",
            help="Set the site aside that is in DATA_DIR; it is kept there.",
        )
        parser.add_argument(
            "--key",
            action="store_true",
            help="Only print the backup's SECRET_KEY, for a site with PostgreSQL.",
        )

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            passphrase = read_passphrase() if archive.is_encrypted(file) else ""
            with embedded.opened(file, passphrase) as draft:
                self._go_on(draft, **options)
        except BackupError as error:
            raise CommandError(str(error)) from error

    def _go_on(self, draft: Path, *, replace: bool, key: bool, **options: Any) -> None:
        if key:
            self.stdout.write(embedded.key_of(draft))
        elif settings.EMBEDDED:
            self._put_back(draft, replace=replace)
        else:
            count = moving.move_in(draft)
            self.stdout.write(f"{count} rows restored. Start the site.")

    def _put_back(self, draft: Path, *, replace: bool) -> None:
        if is_given("SECRET_KEY") and embedded.key_of(draft) != settings.SECRET_KEY:
            raise BackupError(
                "SECRET_KEY is set in the environment, and is not that of the backup."
                " Take it out, or set it to what --key prints."
            )
        with only_one(settings.DATA_DIR):
            before = embedded.put_back(draft, replace=replace)
        if before:
            self.stdout.write(f"The site before is kept in {before}.")
        self.stdout.write("Restored. Start the site: make run")
