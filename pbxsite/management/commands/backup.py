"""`manage.py backup FILE`: the embedded site in one file, while it runs."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from pbxsite.backup import embedded
from pbxsite.backup.archive import BackupError
from pbxsite.management.passphrases import new_passphrase
from pbxsite.management.site_command import SiteCommand


class Command(SiteCommand):
    help = (
        "Save database, keys and recordings of the embedded site in one file. The"
        " passphrase that encrypts it is the first line of standard input."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--plain",
            action="store_true",
            help="Encrypt nothing: whoever has the file has every secret of the site.",
        )

    def handle(self, *args: Any, file: Path, plain: bool, **options: Any) -> None:
        if not settings.EMBEDDED:
            raise CommandError(
                "This site has a PostgreSQL of its own: save that with pg_dump, and the"
                " keys with it (docs/deploy.md, “Backup and restore”)."
            )
        passphrase = "" if plain else new_passphrase()
        try:
            embedded.save(file.absolute(), passphrase)
        except BackupError as error:
            raise CommandError(str(error)) from error
        size = file.stat().st_size
        self.stdout.write(f"{file}: {size} bytes. Keep it apart from this machine.")
